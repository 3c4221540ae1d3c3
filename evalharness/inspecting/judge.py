"""One judge for everybody who asks: a model, loaded once, and its evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.inspecting.bench import Bench, open_bench
from evalharness.inspecting.inspection import Inspection, Unreadable
from evalharness.inspecting.pipeline import inspect_images
from evalharness.inspecting.stored_config import stored_config


@dataclass(frozen=True)
class Judge:
    """Judges photos by a stored evaluation. One photo at a time: the model is not asked from two threads."""

    bench: Bench

    @classmethod
    def load(cls, run: str | Path, overrides: Sequence[str] = ()) -> "Judge":
        """Loads the model and the judge of an evaluation.

        Args:
            run: A results folder, or an MLflow run id.
            overrides: As on the command line of `inspect`, such as `model.weights=...` where the file has moved.

        Raises:
            EvalHarnessError: The evaluation or its weights cannot be used.
        """
        stored, config = stored_config(str(run), overrides)
        return cls(open_bench(config, stored=stored))

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the outputs."""
        return self.bench.classes

    def judge(self, image: Path) -> Inspection | Unreadable:
        """Judges one photo: `belief`, `reasons`, `verdict`, `confidence`, `density` (the map), `plain` for machines."""
        return next(iter(inspect_images(self.bench, [image])))
