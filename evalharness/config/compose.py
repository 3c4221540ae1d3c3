"""From `conf/` and overrides to a validated `RunConfig`. The only module that sees Hydra's DictConfig."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError, create_model

from evalharness.config import RunConfig
from evalharness.config.base import Frozen
from evalharness.config.folder import conf_dir
from evalharness.config.plain_values import quote_plain
from evalharness.config.plain_values import quoted as quoted_text
from evalharness.errors import ConfigError

HINTS = {
    "model.weights": "the weights file, such as model.weights=runs/run1.h5",
    "model.preprocessing": "what training fed the model: raw (0 to 255), vit (-1 to 1), rescale (0 to 1), imagenet, "
    "or {mean: [r,g,b], std: [r,g,b]}",
    "model.builder": "package.module.function that returns your Keras model",
    "model.allow_code": "true if you trust the file",
    "dataset.csv": "the list of images, such as dataset.csv=testing_files.csv",
}
SEVERAL_VALUES = re.compile(r"Ambiguous value for argument '(?P<key>[^=']*)=(?P<value>.*)' 1\. To use it as a list")
UNREADABLE = (
    "mismatched input",
    "token recognition error",
    "extraneous input",
    "LexerNoViableAlt",
    "no viable alternative",
)
"""What the messages of Hydra's grammar say where a character should have been quoted."""


Values = dict[Any, Any]
Complete = Callable[[Values], Values]
"""Fills in what files beside the config tell, before the config is validated."""


def compose_config(
    overrides: Sequence[str], presets: Path | None = None, complete: Complete | None = None
) -> RunConfig:
    """Composes the presets with Hydra overrides, as the command line does, and validates the result.

    Args:
        overrides: As typed.
        presets: A folder of further presets, laid out like `conf/`.
        complete: Applied to the composed values.

    Raises:
        ConfigError: An override that Hydra refuses, a value that does not fit the schema, or no such folder.
    """
    return validate_config(_compose(overrides, presets), complete)


def compose_section(overrides: Sequence[str], *keys: str) -> dict[str, Any]:
    """Composes the presets and takes some top-level keys, for commands that need no complete config.

    Raises:
        ConfigError: An override that Hydra refuses, or a value that does not fit the schema.
    """
    return validate_section(_compose(overrides), *keys)


def validate_section(composed: DictConfig, *keys: str) -> dict[str, Any]:
    """Checks some top-level keys of a composed config against the schema.

    Raises:
        ConfigError: Lists every wrong key at once.
    """
    fields: dict[str, Any] = {
        key: (RunConfig.model_fields[key].annotation, RunConfig.model_fields[key]) for key in keys
    }
    section = create_model("Section", __base__=Frozen, **fields)
    try:
        return dict(section.model_validate({key: _plain(composed[key]) for key in keys}))
    except OmegaConfBaseException as error:
        raise composition_error(error) from error
    except ValidationError as error:
        raise _misfit(error) from error


def check_presets_are_there(presets: Path) -> None:
    """Refuses a folder of presets that is not there.

    Raises:
        ConfigError: It is not.
    """
    if not presets.is_dir():
        raise ConfigError("presets not found", expected="a folder", got=f"no folder at {presets}", where="--config-dir")


def _compose(overrides: Sequence[str], presets: Path | None = None) -> DictConfig:
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    further = []
    if presets is not None:
        check_presets_are_there(presets)
        further = overrides_from({"hydra.searchpath": [f"file://{presets.resolve()}"]})
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="evalharness"):
            return compose("config", overrides=[*further, *quote_plain(overrides)])
    except (HydraException, OmegaConfBaseException) as error:
        raise composition_error(error) from error


def _plain(value: object) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def overrides_from(values: Mapping[str, Any]) -> list[str]:
    """Turns `{"model.weights": "a=b.h5"}` into overrides, quoted so that any text passes through Hydra's grammar."""
    return [f"{key}={quoted(value)}" for key, value in values.items()]


def quoted(value: object) -> str:
    """A value in Hydra's override grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {quoted(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(quoted(entry) for entry in value) + "]"
    return quoted_text(str(value))


def composition_error(error: Exception) -> ConfigError:
    """Explains what Hydra refused, with the cure that the message itself does not name."""
    text = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    fix = "See `evalharness run --help` for the keys and presets"
    if "Could not override" in text and "append" in text:
        fix = (
            "Check the key's spelling; `evalharness run --cfg job` prints all keys. "
            "The + is for a new entry of an open mapping, such as tracking.tags"
        )
    elif "Error merging override" in text:
        fix = "Lists are written [a,b] and mappings {a: b}; `evalharness run --cfg job` shows which is which"
    elif found := SEVERAL_VALUES.search(text):
        key, value = found["key"], found["value"]
        text = f"{key} has several values, got {value}"
        fix = f"Write {key}=[{value}] for a list; `evalharness run -m` starts a run of each"
    elif "requires --multirun" in text:
        fix = "Several values need -m: `evalharness run -m`"
    elif "missing EQUAL" in text:
        fix = "Write it as key=value"
    elif any(words in text for words in UNREADABLE):
        text = text.replace("LexerNoViableAltException:", "cannot read").replace(" ^ See", ". See")
        fix = "Values with = , ( ) [ ] { } # or non-ASCII letters need inner quotes: \"model.weights='my=run.h5'\""
    elif "interpolation" in text.lower():
        fix = "${...} takes another value's place; as text it needs inner quotes and \\: 'model.weights=\"\\${my}.h5\"'"
    return ConfigError(f"config cannot be composed: {text}", fix=fix)


def validate_config(composed: DictConfig, complete: Complete | None = None) -> RunConfig:
    """Checks a composed config against the schema and freezes it.

    Args:
        composed: By Hydra.
        complete: Applied to the composed values.

    Raises:
        ConfigError: Lists every missing and every wrong key at once.
    """
    try:
        missing = sorted(key for key in OmegaConf.missing_keys(composed) if not key.startswith("hydra."))
        if missing:
            lines = "".join(f"\n  {key}: {HINTS.get(key, 'needed by the chosen preset')}" for key in missing)
            raise ConfigError(f"config is incomplete; set these:{lines}\n(as `key=value` on the command line)")
        values = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise composition_error(error) from error
    if not isinstance(values, dict):
        raise ConfigError("config is not a mapping", got=type(values).__name__)
    values.pop("hydra", None)
    return parse_config(complete(values) if complete else values)


def parse_config(values: Mapping[Any, Any]) -> RunConfig:
    """Validates plain nested values.

    Raises:
        ConfigError: Lists every wrong key at once.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise _misfit(error) from error


def _misfit(error: ValidationError) -> ConfigError:
    return ConfigError("config does not fit:" + "".join(f"\n  {line}" for line in _problems(error)))


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        # Parts with a bracket tell which of several types refused the value.
        key = ".".join(str(part) for part in problem["loc"] if "[" not in str(part))
        if problem["type"] == "extra_forbidden":
            lines.append(f"{key}: no such key")
        elif problem["type"] == "tuple_type":
            example = problem["input"] if isinstance(problem["input"], str) else "a,b"
            lines.append(f"{key}: expected a list, such as [{example}], got {problem['input']!r}")
        elif problem["type"] == "dict_type":
            lines.append(f"{key}: expected a mapping, such as {{a: b}}, got {problem['input']!r}")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            got = "" if problem["type"] == "value_error" else f", got {problem['input']!r}"
            lines.append(f"{key}: {message}{got}")
    return lines
