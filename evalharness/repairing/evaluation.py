"""The evaluation that is repaired: its rows and photos, which must still be those that were evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evalharness import dataset as datasets
from evalharness.audit import Resampling
from evalharness.config import CHECKPOINTS, RunConfig
from evalharness.errors import ModelError, ResultsError
from evalharness.finished_runs import FinishedRun
from evalharness.records import Dataset, IntArray, Sample, WeightsSource
from evalharness.weights_files import find_evaluated_weights


@dataclass(frozen=True)
class Evaluation:
    """A finished evaluation with its photos at hand."""

    run: FinishedRun
    config: RunConfig
    """Of the evaluation, with the paths and sizes of this command."""
    weights: WeightsSource
    dataset: Dataset
    samples: tuple[Sample, ...]
    """Its rows, in the order of the results."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the outputs."""
        return self.run.result.classes

    @property
    def min_pull(self) -> float:
        """What the interval of a pull must lie above to be harmful, and below to be repaired."""
        return self.config.audit.min_pull

    @property
    def resampling(self) -> Resampling:
        """How intervals over images are drawn."""
        bootstrap = self.config.bootstrap
        return Resampling(bootstrap.num_resamples, bootstrap.confidence, self.config.seed)

    @cached_property
    def photos(self) -> datasets.Photos:
        """Of every row."""
        return datasets.Photos(self.dataset, self.config.dataset, self.config.model.image_size)

    @cached_property
    def labels(self) -> IntArray:
        """Class index of every row."""
        return np.array([self.classes.index(sample.label) for sample in self.samples])

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Of every row, by row id."""
        return {sample.row_id: position for position, sample in enumerate(self.samples)}

    def sha256(self, row_id: str) -> str:
        """Of a row's image file."""
        return self.dataset.images[row_id].sha256


def stored_config(run: FinishedRun, update: Mapping[str, object], weights: str | None = None) -> RunConfig:
    """The config of an evaluation; the root of its photos as it was found then, whatever the folder of this command.

    Args:
        run: The evaluation.
        update: Top-level keys of this command.
        weights: Where the file is now, if it has moved.

    Raises:
        ModelError: The model is a checkpoint of transformers or timm.
    """
    config = run.config
    if config.model.backbone in CHECKPOINTS:
        raise ModelError(
            "a checkpoint cannot be repaired",
            expected="a model of vit-keras, whose repaired weights are an .h5",
            got=f"model={config.model.backbone}",
            where=run.result.folder,
            fix="Fine-tune it anew with pasted cut-outs",
        )
    root = Path(run.result.manifest["provenance"]["dataset"]["root"])
    model = {"weights": weights, "classes": run.result.classes} if weights else {"classes": run.result.classes}
    return config.model_copy(
        update={
            **update,
            "dataset": config.dataset.model_copy(update={"root": root}),
            "model": config.model.model_copy(update=model),
        }
    )


def open_evaluation(run: FinishedRun, config: RunConfig) -> Evaluation:
    """Finds the weights and the photos again.

    Raises:
        EvalHarnessError: They are gone, or no longer those of the evaluation.
    """
    weights = find_evaluated_weights(config, run.result)
    dataset = datasets.load_dataset(
        config.dataset,
        model_classes=run.config.model.classes,
        runs_dir=config.runs_dir,
        limit=config.limit,
        seed=config.seed,
        num_workers=config.num_workers,
    )
    if dataset.digest != run.result.recipe["dataset"]["digest"]:
        raise ResultsError(
            "photos are no longer those that were evaluated",
            expected=f"{run.result.recipe['dataset']['num_rows']} rows of the digest of the run",
            got=f"{len(dataset.samples)} rows of another digest",
            where=config.dataset.csv,
            fix="Evaluate again, and repair that run",
        )
    by_id = {sample.row_id: sample for sample in dataset.samples}
    samples = tuple(by_id[row_id] for row_id in run.result.samples["row_id"])
    return Evaluation(run, config, weights, dataset, samples)
