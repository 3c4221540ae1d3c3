"""From `attention.methods` in the config to the list of maps to compute, each with an id of its own."""

import re
from collections.abc import Callable, Sequence

from evalharness.attention.registry import METHODS
from evalharness.attention.targets import TARGETS, class_of, is_word, target_of_class
from evalharness.config import AttentionConfig, MapConfig
from evalharness.errors import ConfigError
from evalharness.records import MapSpec
from evalharness.slugs import ascii_slug

MAP_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}")
TAKEN_ENDINGS = (".sum", ".signed", ".completeness")
"""Of files that are stored beside a map's own."""


def map_specs(config: AttentionConfig, classes: Sequence[str]) -> tuple[MapSpec, ...]:
    """Checks methods, targets and options, and names each map.

    A map's id is `<method>` for the predicted class, else `<method>.<target>`; a variant in other options needs a name.

    Args:
        config: The `attention` section.
        classes: The model's classes, which targets may name.

    Raises:
        ConfigError: An unknown method, target or option, or two maps with one id.
    """
    specs = tuple(_spec(entry, config.target, classes) for entry in config.methods)
    ids = [spec.map_id for spec in specs]
    repeated = sorted({map_id for map_id in ids if ids.count(map_id) > 1})
    if repeated:
        raise ConfigError(
            "two maps share an id", got=", ".join(repeated), where="attention.methods", fix="Give one of them a `name`"
        )
    return specs


def _spec(entry: MapConfig, default_target: str, classes: Sequence[str]) -> MapSpec:
    method = METHODS.get(entry.method)
    if method is None:
        raise ConfigError(
            "unknown attention method",
            expected=f"one of {', '.join(METHODS)}",
            got=entry.method,
            where="attention.methods",
        )
    unknown = sorted(set(entry.options) - set(method.default_options))
    if unknown:
        valid = ", ".join(method.default_options) or "none"
        raise ConfigError(
            f"unknown option of {entry.method}", expected=valid, got=", ".join(unknown), where="attention.methods"
        )
    options = {**method.default_options, **entry.options}
    target = _named_class(entry.target or default_target, classes)
    if not is_word(target) and class_of(target) not in classes:
        raise ConfigError(
            "unknown attention target",
            expected=f"{', '.join(TARGETS)}, or one of {', '.join(map(target_of_class, classes))}",
            got=target,
            where="attention.target",
        )
    if not method.is_class_specific:
        target = "predicted"
    map_id = _map_id(entry, target, is_default=options == method.default_options)
    return MapSpec(
        map_id, entry.method, target, options, method.version,
        is_signed=method.is_signed, is_complete=method.needs == "frozen_gradients",
    )  # fmt: skip


def _named_class(target: str, classes: Sequence[str]) -> str:
    """A class in the one way in which it is named as a target; anything else as it is."""
    if is_word(target):
        return target
    named = next((name for name in (target, class_of(target)) if name in classes), None)
    return target if named is None else target_of_class(named)


def ambiguous_targets(specs: Sequence[MapSpec], classes: Sequence[str]) -> list[str]:
    """A sentence for each target of a class-specific map that is the name of a class as well."""
    targets = {spec.target for spec in specs if METHODS[spec.method].is_class_specific}
    return [
        f"attention.target={target} means the {target} class of each image, not the class called {target}, which is "
        f"{target_of_class(target)}"
        for target in TARGETS
        if target in targets and target in classes
    ]


def check_options(
    specs: Sequence[MapSpec], *, num_layers: int, num_heads: int, grid_size: tuple[int, int], pooling: str = "cls"
) -> None:
    """Checks the options of maps against the model's sizes and what its head reads.

    Raises:
        ConfigError: An option names a block, a head or a size that the model does not have.
    """
    # A head that reads something else has never seen the class token alone.
    readouts = ("head", "cls", "mean") if pooling == "cls" else ("head",)
    allowed: dict[str, tuple[Callable[[object], bool], str]] = {
        "start_layer": (lambda v: _is_between(v, 0, num_layers - 1), f"0 to {num_layers - 1}"),
        "layer": (lambda v: _is_between(v, -num_layers, num_layers - 1), f"{-num_layers} to {num_layers - 1}"),
        "head": (lambda v: v is None or _is_between(v, 0, num_heads - 1), f"null, or 0 to {num_heads - 1}"),
        "readout": (lambda v: v in readouts, " or ".join(readouts)),
        # A group as large as the grid would hide the whole image: there is no rest to take the colour from.
        "group_size": (lambda v: _is_between(v, 1, max(grid_size) - 1), f"1 to {max(grid_size) - 1} patches"),
    }
    for spec in specs:
        for option, value in spec.options.items():
            is_allowed, words = allowed[option]
            if not is_allowed(value):
                raise ConfigError(
                    f"option {option} of map {spec.map_id} does not fit the model",
                    expected=words, got="null" if value is None else value, where="attention.methods",
                )  # fmt: skip


def _is_between(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _map_id(entry: MapConfig, target: str, *, is_default: bool) -> str:
    if entry.name is not None:
        if not MAP_ID.fullmatch(entry.name):
            raise ConfigError(
                "map name cannot be a file name",
                expected="at most 80 letters, digits, _ . -, the first no dot",
                got=entry.name,
                where="attention.methods",
            )
        if entry.name.endswith(TAKEN_ENDINGS) or (entry.name in METHODS and entry.name != entry.method):
            raise ConfigError(
                f"map name of {entry.method} is taken",
                expected=f"no other method's name, and not ending in {', '.join(TAKEN_ENDINGS)}",
                got=entry.name,
                where="attention.methods",
            )
        return entry.name
    if not is_default:
        raise ConfigError(
            f"variant of {entry.method} without a name",
            where="attention.methods",
            fix=f"Add a name: {{method: {entry.method}, name: ..., options: ...}}",
        )
    if target == "predicted":
        return entry.method
    return f"{entry.method}.{target if target in TARGETS else ascii_slug(target)}"
