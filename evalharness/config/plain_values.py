"""Paths and names before Hydra parses them: they mean what is written, whatever characters they hold."""

import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from evalharness.config.run import RunConfig
from evalharness.errors import ConfigError
from evalharness.folders import from_home, is_there

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

NAMES_OF_FILES = ("model.weights", "model.reference", "what_is_it.weights")
"""Texts that name a file, where they are no MLflow uri."""
FUNCTION = re.compile(r"(choice|glob|interval|range|shuffle|sort|tag)\(.*\)")
"""Of Hydra's sweeps."""
INTERPOLATION = re.compile(r"\$\{\s*(\.*)([\w-]*(?:\.[\w-]+)*)\s*(:?)")
HYDRAS_RESOLVERS = ("hydra", "now", "python_version")
"""Registered when Hydra is started, which is later."""
COMMA = re.compile(r",(?![^${}]*\})")
"""Not within braces."""
Kind = Literal["path", "text", "texts", "mapping"]


def quoted(text: str, mark: str = "'") -> str:
    """A text in Hydra's override grammar, where backslashes before the quotation mark or at the end count double."""

    def doubled(found: re.Match[str]) -> str:
        return found[1] * 2 + (f"\\{mark}" if found[2] else "")

    return mark + re.sub(rf"(\\*)({mark}|\Z)", doubled, text) + mark


def literal(text: str, mark: str = "'") -> str:
    """A text in Hydra's override grammar, with each `${` in it as it stands: nothing takes its place."""
    return quoted(re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + "\\${", text), mark)


def for_a_shell(key: str, text: str, *, is_literal: bool = True) -> str:
    """The argument that sets a key to a text, as it is typed.

    Args:
        key: Of the config.
        text: Its value.
        is_literal: Whether `${...}` in the text means itself.
    """
    write = literal if is_literal else quoted
    argument = f"{key}={write(text)}"
    if not set('"$`\\!') & set(argument):
        return f'"{argument}"'
    return shlex.quote(argument if "'" in text else f"{key}={write(text, chr(34))}")


def quote_plain(overrides: Sequence[str], *, is_sweep: bool = False) -> list[str]:
    """Quotes the values of keys that are paths or names where Hydra would read something else than is written.

    What is quoted already, null, and an interpolation that can be resolved stay as they are. In a sweep a comma
    separates values, unless the whole is a file.

    Args:
        overrides: As typed.
        is_sweep: Whether commas and `choice(...)` mean several runs.

    Raises:
        ConfigError: An override that cannot be read, or that can be read in two ways; the message says how to write it.
    """
    return [_quote_one(override, is_sweep=is_sweep) for override in overrides]


def value_of(key: str, text: str) -> Any:
    """What an override means where nothing is composed, so that nothing takes the place of `${...}`.

    Raises:
        ConfigError: As `quote_plain`.
    """
    if _kind_of(key) in ("path", "text") and text.lower() != "null" and not _is_quoted(text):
        return text
    (written,) = quote_plain([f"{key}={text}"])
    value = written.partition("=")[2]
    return text if _is_sweep_of_hydra(value) else _read(value)


@cache
def plain_keys() -> dict[str, Kind]:
    """The keys of the config that are a path, a text, a list of texts, or a mapping to texts."""
    return dict(_plain_keys(RunConfig, ""))


def _kind_of(key: str) -> Kind | None:
    keys = plain_keys()
    is_entry = keys.get(key.rpartition(".")[0]) == "mapping"
    return "text" if is_entry else keys.get(key)


def _plain_keys(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Kind]]:
    for name, field in model.model_fields.items():
        key, kinds = f"{prefix}{name}", set(_kinds(field.annotation))
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _plain_keys(kind, f"{key}.")
        if kinds <= {Path, str, NoneType}:
            yield key, "path" if Path in kinds or key in NAMES_OF_FILES else "text"
        elif all(get_origin(kind) is dict and list(_kinds(get_args(kind)[1])) == [str] for kind in kinds):
            yield key, "mapping"
        elif any(map(_is_list_of_texts, kinds)) and all(
            kind is NoneType or get_origin(kind) is Literal or _is_list_of_texts(kind) for kind in kinds
        ):
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
    kind = _kind_of(key.lstrip("+"))
    if not equals or not text or key.startswith("~"):
        return override
    if kind in ("path", "text"):
        is_file = kind == "path" and _is_file(text)
        value = _quote_file(key, text, is_sweep=is_sweep) if is_file else _quote_text(key, text, is_sweep=is_sweep)
        return f"{key}={value}"
    if kind in ("texts", "mapping"):
        return _checked(f"{key}={_entries_as_written(text)}")
    return _checked(override)


def _is_file(text: str) -> bool:
    try:
        return is_there(from_home(text))
    except ValueError:
        return True


def _quote_file(key: str, text: str, *, is_sweep: bool) -> str:
    """A file that is there."""
    parts = COMMA.split(text)
    if is_sweep and len(parts) > 1 and all(map(_is_file, parts)):
        raise ConfigError(
            f"{key} can be read in two ways",
            expected=f"several files, {' and '.join(parts)}, or the file {text}",
            got=f"{key}={text}",
            fix=f"Rename one of them, or write {for_a_shell(key, text)} for the one file",
        )
    if _resolves(text):
        raise ConfigError(
            f"{key} can be read in two ways",
            expected=f"the file {text}, or what ${{...}} stands for",
            got=f"{key}={text}",
            fix=f"Write {for_a_shell(key, text)} for the file, or rename it",
        )
    return _as_written(text)


def _quote_text(key: str, text: str, *, is_sweep: bool) -> str:
    """A name, or a path to nothing that is there; several of them in a sweep."""
    if FUNCTION.fullmatch(text) or _is_quoted(text):
        return text
    parts = COMMA.split(text)
    if is_sweep and _is_sweep_of_hydra(text) and set("'\"") & set(text):
        return text
    if is_sweep:
        return ",".join(_as_written(part.strip()) for part in parts)
    if len(parts) > 1 and (_is_sweep_of_hydra(text) or not set("[]{}()") & set(text)):
        one = for_a_shell(key, text, is_literal=not _resolves(text))
        raise ConfigError(
            f"{key} can be read in two ways",
            expected="one value, or a run for each part",
            got=f"{key}={text}",
            fix=f"Write {one} for the one, or `evalharness run -m` for the runs",
        )
    return _as_written(text)


def _as_written(text: str) -> str:
    """The text, quoted if Hydra would read something else."""
    if _is_quoted(text):
        return text
    if "${" in text and not _resolves(text):
        return literal(text)
    value = _read(text)
    return text if value is None or (isinstance(value, str) and value == text) else quoted(text)


def _resolves(text: str) -> bool:
    """Whether there is an interpolation in the text, and something in the config, or a resolver, behind each."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from omegaconf.grammar_parser import parse

    found = INTERPOLATION.findall(text)
    for dots, name, colon in found:
        if colon and name not in HYDRAS_RESOLVERS and not OmegaConf.has_resolver(name):
            return False
        if not colon and not dots and name.partition(".")[0] not in (*RunConfig.model_fields, "hydra"):
            return False
    try:
        parse(text)
    except OmegaConfBaseException:
        return False
    return bool(found)


def _entries_as_written(text: str) -> str:
    """A flat list or mapping with each text in it as it is written; anything else as it is."""
    brackets, inside = text[:1] + text[-1:], text[1:-1]
    has_quotes = bool(set("'\"") & set(inside))
    if brackets not in ("[]", "{}") or not inside or set("[]{}") & set(inside) or (has_quotes and _parse(text)):
        return text if brackets in ("[]", "{}") or "," in text or FUNCTION.fullmatch(text) else _as_written(text)
    entries = (entry.strip() for entry in inside.split(","))
    if brackets == "[]":
        # A list of names has no use for null: it is one of them.
        return f"[{','.join(quoted(entry) if entry.lower() == 'null' else _as_written(entry) for entry in entries)}]"
    pairs = (entry.partition(":") for entry in entries)
    return f"{{{', '.join(f'{name}: {_as_written(value.strip())}' for name, _, value in pairs)}}}"


def _parse(text: str) -> "Override | None":
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        return OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return None


def _read(text: str) -> Any:
    """What Hydra reads as a value; `...` where it cannot."""
    parsed = _parse(text)
    return ... if parsed is None else parsed.value()


def _is_sweep_of_hydra(text: str) -> bool:
    parsed = _parse(text)
    return parsed is not None and parsed.is_sweep_override()


def _is_quoted(text: str) -> bool:
    """Whether Hydra reads one text between quotation marks, and not just a text that begins and ends with them."""
    from hydra.core.override_parser.types import QuotedString

    if text[:1] not in ("'", '"'):
        return False
    parsed = _parse(text)
    return parsed is not None and not parsed.is_sweep_override() and isinstance(parsed._value, QuotedString)


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
        else f"If it is one text, write {for_a_shell(key, text)}",
    )
