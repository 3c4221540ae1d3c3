"""`evalharness serve`: the model loads once and judges photos all day, at a page or for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.cli.first_look import look_first
from evalharness.errors import ConfigError

if TYPE_CHECKING:
    from evalharness.config import RunConfig
    from evalharness.inspecting.inspection import Inspection, Unreadable
    from evalharness.results import StoredResult
    from evalharness.serving.judging import Judged, NotAPhoto, PhotoJudge

USAGE = "Usage: evalharness serve --run RUN [serve.port=...] [overrides]"
NO_ANNOTATIONS = "dataset.annotations=null"
"""Nobody has annotated new photos, and those of the evaluation take long to read."""


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    run: str
    overrides: tuple[str, ...]


def serve(arguments: Sequence[str]) -> int:
    """Judges photos until Ctrl-C."""
    request = parse_arguments(arguments)
    from evalharness.inspecting.stored_config import stored_config

    stored, config = stored_config(request.run, [*request.overrides, NO_ANNOTATIONS])
    look_first(config, ("model.weights",))
    if config.serve.watch is not None and not config.serve.watch.is_dir():
        raise ConfigError("no such folder", got=config.serve.watch, where="serve.watch")
    from evalharness.serving.pipeline import serve as serve_photos

    serve_photos(
        config,
        run=stored.folder.absolute().name,
        load=lambda: load_judge(stored, config),
        identity={"weights_sha256": stored.recipe["model"]["weights_sha256"]},
    )
    return 0


def load_judge(stored: "StoredResult", config: "RunConfig") -> "PhotoJudge":
    """The judge that `inspect` asks, too.

    Raises:
        EvalHarnessError: The evaluation or its weights cannot be used.
    """
    import numpy as np

    from evalharness.inspecting.bench import open_bench
    from evalharness.inspecting.pipeline import inspect_images
    from evalharness.serving.judging import PhotoJudge

    bench = open_bench(config, stored=stored)
    bench.tell_what_is_known()

    def judge(path: Path) -> "Judged | NotAPhoto":
        return as_judged(next(inspect_images(bench, [path])))

    def warm_up() -> None:
        grey = np.full((1, *config.model.image_size, 3), 128, np.uint8)
        if bench.tokens_of is not None:
            bench.tokens_of(grey)
            bench.forward.logits(grey)

    return PhotoJudge(bench.classes, judge, warm_up)


def as_judged(found: "Inspection | Unreadable") -> "Judged | NotAPhoto":
    """An inspection as the bench tells it."""
    from evalharness.inspecting.inspection import Unreadable
    from evalharness.serving.judging import Judged, NotAPhoto

    if isinstance(found, Unreadable):
        return NotAPhoto(found.reason)
    return Judged(
        belief=found.belief,
        class_name=None if found.belief == "unknown" else found.verdict,
        confidence=found.confidence,
        top=found.top,
        reasons=found.reasons,
        warnings=found.warnings,
        risk=found.judgement.risk,
        density=found.density,
    )


def parse_arguments(arguments: Sequence[str]) -> Request:
    """Sorts the run and overrides.

    Raises:
        ConfigError: No run, or an argument that cannot be used.
    """
    run, overrides, values = None, [], list(arguments)
    while values:
        argument = values.pop(0)
        if argument == "--run" and values:
            run = values.pop(0)
        elif "=" in argument and not argument.startswith("-"):
            overrides.append(argument)
        else:
            raise ConfigError("cannot be used here", got=argument, fix=USAGE)
    if run is None:
        raise ConfigError("no evaluation to judge by", expected="--run RUN", got="none", fix=USAGE)
    return Request(run, tuple(overrides))
