"""The Python API, for notebooks: `evaluate` and `load` give a `Result`, `compare` lays several side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from evalharness.comparing.finished_comparison import Comparison
from evalharness.comparing.pipeline import compare as compare_runs
from evalharness.completed_config import compose_completed
from evalharness.config import RunConfig
from evalharness.config.compose import overrides_from
from evalharness.dataset import load_photo, place
from evalharness.evaluating.pipeline import run_evaluation
from evalharness.report import AttentionPair, as_image, draw_contact_sheet
from evalharness.results import StoredResult


class Result(StoredResult):
    """A finished evaluation: numbers, maps and pictures, read from its results folder."""

    def show(self, row_id: str, map_id: str | None = None) -> Image.Image:
        """Draws the photo beside its attention map, with the verdict and the legend of the run's colour scale.

        Args:
            row_id: The image's key.
            map_id: Default: the first map of the evaluation.

        Returns:
            Photo | map, in the photo's own proportions, above the verdict; a notebook displays it.

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
        pair = AttentionPair(
            row_id, photo, self.map(row_id, map_id), row["label"], row["pred_label"], float(row["confidence"]),
            map_id or self.map_ids[0], extent,
        )  # fmt: skip
        title, scale = "what it looks at", config.report
        return as_image(draw_contact_sheet([pair], title=title, density_max=scale.density_max, style=scale.style))


def load(folder: str | Path) -> Result:
    """Reads a finished evaluation again, from any command or notebook.

    Args:
        folder: The results folder.

    Raises:
        ResultsError: It is missing, unfinished or of another schema.
    """
    return Result(Path(folder))


def compare(
    *runs: str | Path | StoredResult | Sequence[str | Path | StoredResult],
    overrides: Mapping[str, Any] | Sequence[str] = (),
) -> Comparison:
    """Compares finished evaluations on the same images, each with the first, as `evalharness compare` does.

    Args:
        runs: Two or more results, results folders or MLflow run ids, one after the other or as a list.
        overrides: Dotted keys and values, such as `{"compare.num_flips": 20}`, or as on the command line.

    Raises:
        EvalHarnessError: Runs, settings or a store that cannot be used; the message says what to do.
    """
    listed = [one for run in runs for one in ([run] if isinstance(run, str | Path | StoredResult) else run)]
    return compare_runs(listed, overrides_from(overrides) if isinstance(overrides, Mapping) else list(overrides))


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
