"""Paths and names before Hydra parses them: they mean what is written, whatever characters they hold."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from evalharness.config.run import RunConfig
from evalharness.errors import ConfigError

NAMES_OF_FILES = ("model.weights", "model.reference", "what_is_it.weights")
"""Texts that name a file, where they are no MLflow uri."""
FUNCTION = re.compile(r"(choice|glob|interval|range|shuffle|sort|tag)\(.*\)")
"""Of Hydra's sweeps."""
Kind = Literal["path", "text", "texts"]


def quoted(text: str) -> str:
    """A text in Hydra's override grammar."""
    text = text.replace("\\", "\\\\") if text.endswith("\\") else text
    return "'" + text.replace("'", "\\'") + "'"


def for_a_shell(argument: str) -> str:
    """An argument as it is typed."""
    return shlex.quote(argument) if set('"$`\\!') & set(argument) else f'"{argument}"'


def quote_plain(overrides: Sequence[str], *, is_sweep: bool = False) -> list[str]:
    """Quotes the values of keys that are paths or names where Hydra would read something else than is written.

    What is quoted already, null, and an interpolation stay as they are. In a sweep a comma separates values, unless the
    whole is a file.

    Args:
        overrides: As typed.
        is_sweep: Whether commas and `choice(...)` mean several runs.

    Raises:
        ConfigError: An override that cannot be read, or that can be read in two ways; the message says how to write it.
    """
    return [_quote_one(override, is_sweep=is_sweep) for override in overrides]


def plain_text(key: str, text: str) -> str | None:
    """The value of a key that is a path or a name, as it is written; None for other keys, and for null."""
    if plain_keys().get(key) not in ("path", "text") or text == "null":
        return None
    return text[1:-1] if _is_quoted(text) else text


@cache
def plain_keys() -> dict[str, Kind]:
    """The keys of the config that are a path, a text, or a list of texts."""
    return dict(_plain_keys(RunConfig, ""))


def _plain_keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Kind]]:
    for name, field in model.model_fields.items():
        key, kinds = f"{prefix}{name}", set(_kinds(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _plain_keys(kind, f"{key}.")
        if kinds <= {Path, str, NoneType}:
            yield key, "path" if Path in kinds or key in NAMES_OF_FILES else "text"
        elif all(kind is NoneType or _is_list_of_texts(kind) for kind in kinds):
            yield key, "texts"


def _kinds(annotation: Any) -> Iterator[Any]:
    """The types that a field may have: those of a union, each without what it is annotated with."""
    if get_origin(annotation) is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif NoneType in get_args(annotation):
        for kind in get_args(annotation):
            yield from _kinds(kind)
    else:
        yield annotation


def _is_list_of_texts(kind: Any) -> bool:
    return get_origin(kind) is tuple and list(_kinds(get_args(kind)[0])) == [str]


def _quote_one(override: str, *, is_sweep: bool) -> str:
    key, equals, text = override.partition("=")
    kind = plain_keys().get(key.lstrip("+"))
    if not equals or not text or key.startswith("~"):
        return override
    if kind in ("path", "text"):
        is_file = kind == "path" and Path(text).expanduser().exists()
        return f"{key}={_quote_file(key, text, is_sweep=is_sweep) if is_file else _quote_text(text, is_sweep=is_sweep)}"
    return _checked(f"{key}={_list_as_written(text)}" if kind == "texts" else override)


def _quote_file(key: str, text: str, *, is_sweep: bool) -> str:
    """A file that is there."""
    parts = text.split(",")
    if is_sweep and len(parts) > 1 and all(Path(part).expanduser().exists() for part in parts):
        raise ConfigError(
            f"{key} can be read in two ways",
            expected=f"several files, {' and '.join(parts)}, or the file {text}",
            got=f"{key}={text}",
            fix=f"Rename one of them, or write {for_a_shell(f'{key}={quoted(text)}')} for the one file",
        )
    return _as_written(text)


def _quote_text(text: str, *, is_sweep: bool) -> str:
    """A name, or a path to nothing that is there; several of them in a sweep."""
    if FUNCTION.fullmatch(text):
        return text
    if is_sweep and "," in text and not set("'\"") & set(text):
        return ",".join(_as_written(part.strip()) for part in text.split(","))
    return text if _is_sweep_of_hydra(text) else _as_written(text)


def _as_written(text: str) -> str:
    """The text, quoted if Hydra would read something else."""
    value = _read(text)
    is_kept = value is None or _is_quoted(text) or "${" in text or (isinstance(value, str) and value == text)
    return text if is_kept else quoted(text)


def _list_as_written(text: str) -> str:
    """A flat list with each entry as it is written; anything else as it is."""
    inside = text[1:-1]
    if not (text.startswith("[") and text.endswith("]")) or not inside or set("[]{}'\"") & set(inside):
        return text
    entries = (entry.strip() for entry in inside.split(","))
    return f"[{','.join(_as_written(entry) for entry in entries)}]"


def _read(text: str) -> Any:
    """What Hydra reads as a value; `...` where it cannot."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"key={text}").value()
    except HydraException:
        return ...


def _is_sweep_of_hydra(text: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"key={text}").is_sweep_override()
    except HydraException:
        return False


def _is_quoted(text: str) -> bool:
    return len(text) > 1 and text[0] in "'\"" and text.endswith(text[0])


def _checked(override: str) -> str:
    """An override of another kind, which Hydra's own grammar must fit.

    Raises:
        ConfigError: It does not, and would if its value were quoted.
    """
    key, _, text = override.partition("=")
    if _read(text) is not ...:
        return override
    raise ConfigError(
        "a value cannot be read",
        expected="[a,b] for lists, {a: b} for mappings, and inner quotes around texts with other characters",
        got=override,
        fix="Quote the texts inside, such as \"key=['a b','c=d']\""
        if text.startswith(("[", "{"))
        else f"If it is one text, write {for_a_shell(f'{key}={quoted(text)}')}",
    )
