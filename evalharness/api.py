"""The Python API, for notebooks: `evaluate` gives a `Result` to look into."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from evalharness.completed_config import compose_completed
from evalharness.config import RunConfig
from evalharness.config.compose import overrides_from
from evalharness.dataset import load_photo, place
from evalharness.evaluating.pipeline import run_evaluation
from evalharness.report import STYLES, side_by_side
from evalharness.results import StoredResult


class Result(StoredResult):
    """A finished evaluation: numbers, maps and pictures, read from its results folder."""

    def show(self, row_id: str, map_id: str | None = None) -> Image.Image:
        """Draws the photo beside its attention map, on the run's colour scale.

        Args:
            row_id: The image's key.
            map_id: Default: the first map of the evaluation.

        Returns:
            Photo | map, in the photo's own proportions; a notebook displays it.

        Raises:
            ResultsError: No such image or map.
            DatasetError: The photo is no longer where it was.
        """
        config = RunConfig.model_validate(self.manifest["config"])
        row = self.samples.iloc[self.position(row_id)]
        path = Path(self.manifest["provenance"]["dataset"]["root"]) / row["path"]
        photo = load_photo(path, config=config.dataset)
        height, width, _ = photo.shape
        dataset = config.dataset
        extent = place((height, width), config.model.image_size, dataset.resize, dataset.resize_size).extent
        draw = STYLES[config.report.style]
        drawn = draw(photo, self.map(row_id, map_id), density_max=config.report.density_max, extent=extent)
        return Image.fromarray(side_by_side(photo, drawn))


def evaluate(config: RunConfig | Mapping[str, Any] | Sequence[str]) -> Result:
    """Evaluates one model on one dataset and logs the run to MLflow, as `evalharness run` does.

    Args:
        config: Dotted keys and values, such as `{"model.weights": "run1.h5", "dataset.csv": "test.csv"}`; or overrides
            as on the command line; or a validated config.

    Raises:
        EvalHarnessError: A config, a file, a row or a store that cannot be used; the message says what to do.
    """
    if isinstance(config, RunConfig):
        return Result(run_evaluation(config).result.folder)
    overrides = overrides_from(config) if isinstance(config, Mapping) else list(config)
    return Result(run_evaluation(compose_completed(overrides)).result.folder)
