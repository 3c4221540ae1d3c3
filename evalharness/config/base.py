"""What every section of the configuration shares: frozen models, and values as Hydra hands them over."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator

from evalharness.folders import from_home


class Frozen(BaseModel):
    """Base of every section: no unknown keys, no infinite numbers, no changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {int, float} & {kind, *get_args(kind)}:
            raise ValueError(f"expected a number, got {value}")
        return value


def _as_text(value: object) -> object:
    """Hydra reads `key=2024` as a number and `key=true` as a boolean, where a name is meant."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]


def _as_class_name(value: object) -> object:
    """A list in a file of presets has lost what was written; one on the command line has not (see `plain_values`)."""
    kinds = {"bool": "yes, no, on, off, true and false as booleans", "float": "1.0, 1e3 and nan as numbers"}
    kind = kinds.get(type(value).__name__)
    if kind:
        raise ValueError(f'YAML reads {kind}: quote the class names, such as ["yes", "1.0"]; got {value}')
    return _as_text(value)


ClassName = Annotated[str, BeforeValidator(_as_class_name)]


def _as_path(value: object) -> object:
    if value == "":
        raise ValueError("expected a path, got an empty text, such as that of an unset variable of the shell")
    text = _as_text(value)
    return from_home(text) if isinstance(text, str) else text


FilePath = Annotated[Path, BeforeValidator(_as_path)]


def empty_if_null(value: object) -> object:
    """Hydra lets `key={a: b}` replace null, but not an empty mapping."""
    return {} if value is None else value


def _all_finite(value: dict[str, Any]) -> dict[str, Any]:
    if not _is_finite(value):
        raise ValueError(f"numbers must be finite, got {value}")
    return value


def _is_finite(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


Options = Annotated[dict[str, Any], BeforeValidator(empty_if_null), AfterValidator(_all_finite)]
