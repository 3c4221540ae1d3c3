"""`evalharness inspect`: single images at the bench, verdict and attention in one look."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.text import Text

from evalharness.cli.first_look import look_first
from evalharness.collector import collection_held
from evalharness.completed_config import compose_completed
from evalharness.config import RunConfig
from evalharness.console import console, say
from evalharness.errors import ConfigError
from evalharness.folders import is_there

if TYPE_CHECKING:
    from evalharness.inspecting.bench import Bench
    from evalharness.inspecting.inspection import Inspection, Unreadable

USAGE = (
    "Usage: evalharness inspect IMAGE... [--run RUN] [--json] [--to DIR] [object=x,y,width,height] [top_k=3] "
    "[overrides]"
)
FEW = 4
"""Images up to which the model is not compiled, and the process ends before garbage is worth collecting."""
NO_CSV = "no-dataset.csv"
COLOURS = {"believe": "green", "check": "yellow", "unknown": "red"}


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    images: tuple[str, ...]
    run: str | None
    is_json: bool
    folder: Path | None
    box: tuple[float, float, float, float] | None
    top_k: int
    overrides: tuple[str, ...]


def inspect(arguments: Sequence[str]) -> int:
    """Inspects images; returns 1 if one of them cannot be read."""
    request = parse_arguments(arguments)
    from evalharness.inspecting.named_images import list_images

    paths = list_images(request.images)
    if len(paths) > FEW:
        return _inspect(request, paths)
    with collection_held():
        return _inspect(request, paths)


def _inspect(request: Request, paths: Sequence[Path]) -> int:
    config, bench = _open(request, is_compiled=len(paths) > FEW)
    from evalharness.inspecting.inspection import Unreadable
    from evalharness.inspecting.pipeline import inspect_images

    if bench.stored is not None and not request.is_json:
        bench.tell_what_is_known()
    folder = request.folder or config.runs_dir / "inspected"
    found = []
    for entry in inspect_images(bench, paths, box=request.box, folder=folder):
        found.append(entry)
        if not request.is_json:
            _print(entry)
    if request.is_json:
        print(json.dumps(_report(bench, found), ensure_ascii=False, indent=1))
    return 1 if any(isinstance(entry, Unreadable) for entry in found) else 0


def _open(request: Request, *, is_compiled: bool) -> "tuple[RunConfig, Bench]":
    """The config and the bench; files that are not there are told before TensorFlow is imported."""
    if request.run is None:
        has_csv = any(override.startswith("dataset.csv=") for override in request.overrides)
        config = compose_completed([*request.overrides, *([] if has_csv else [f"dataset.csv={NO_CSV}"])])
        look_first(config, ("model.weights", "dataset.csv") if has_csv else ("model.weights",))
        from evalharness.inspecting.bench import open_bench

        return config, open_bench(config, has_csv=has_csv, top_k=request.top_k, is_compiled=is_compiled)
    from evalharness.inspecting.stored_config import stored_config

    stored, config = stored_config(request.run, request.overrides)
    look_first(config, ("model.weights",))
    from evalharness.inspecting.bench import open_bench

    return config, open_bench(config, stored=stored, top_k=request.top_k, is_compiled=is_compiled)


def parse_arguments(arguments: Sequence[str]) -> Request:
    """Sorts images, flags and overrides.

    Raises:
        ConfigError: No image, an unknown flag, or a value that cannot be used.
    """
    images, overrides = [], []
    flags: dict[str, str] = {}
    values = list(arguments)
    while values:
        argument = values.pop(0)
        if argument == "--json":
            flags["json"] = "true"
        elif argument in ("--run", "--to") and values:
            flags[argument.removeprefix("--")] = values.pop(0)
        elif argument.startswith("-"):
            raise ConfigError("cannot be used here", got=argument, fix=USAGE)
        elif argument.startswith(("object=", "top_k=")):
            name, _, flags_value = argument.partition("=")
            flags[name] = flags_value
        elif "=" in argument and not is_there(argument):
            overrides.append(argument)
        else:
            images.append(argument)
    if not images:
        raise ConfigError("no image given", fix=USAGE)
    return Request(
        images=tuple(images),
        run=flags.get("run"),
        is_json="json" in flags,
        folder=Path(flags["to"]) if "to" in flags else None,
        box=_parse_box(flags["object"]) if "object" in flags else None,
        top_k=_parse_count(flags.get("top_k", "3")),
        overrides=tuple(overrides),
    )


def _parse_box(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            "the object's box cannot be read", expected="x,y,width,height in pixels", got=text, where="object"
        ) from error
    return x, y, width, height


def _parse_count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError("top_k cannot be used", expected="a number of classes", got=text, where="top_k")
    return int(text)


def _print(entry: "Inspection | Unreadable") -> None:
    from evalharness.inspecting.inspection import Unreadable

    if isinstance(entry, Unreadable):
        console.print(Text.assemble((f"{entry.path}: ", "bold"), (f"cannot be read: {entry.reason}", "red")))
        return
    first, *others = entry.lines
    say(Text.assemble((f"{entry.path}: ", "bold"), (first, f"bold {COLOURS[entry.belief]}")))
    for line in others:
        say(f"  {line}")
    for warning in entry.warnings:
        say(Text.assemble(("  warning: ", "bold yellow"), warning))
    if entry.picture:
        console.print(f"  look: {entry.picture}", markup=False, soft_wrap=True)


def _report(bench: "Bench", found: "Sequence[Inspection | Unreadable]") -> Mapping[str, Any]:
    report: dict[str, Any] = {
        "classes": list(bench.classes),
        "weights_sha256": bench.weights.sha256,
        "images": [entry.plain for entry in found],
    }
    if bench.evaluated is not None:
        report["evaluation"] = {
            "folder": str(bench.stored.folder) if bench.stored else None,
            "notes": list(bench.evaluated.notes),
        }
    return report
