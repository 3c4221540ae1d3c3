"""What an evaluation starts from: gathered and checked before a model is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import results
from evalharness.annotations import Annotations, load_configured_annotations, small_categories
from evalharness.attention import ambiguous_targets, map_specs
from evalharness.audit import Resampling
from evalharness.config import RunConfig
from evalharness.console import note, warn
from evalharness.errors import ConfigError, DatasetError
from evalharness.evaluating.stopwatch import Stopwatch
from evalharness.records import Dataset, IntArray, MapSpec, WeightsSource
from evalharness.weights_files import find_weights

WEIGHTS_ENDINGS = (".weights.h5", ".weights.hdf5", ".h5", ".hdf5", ".keras")
"""The longer ones first."""


@dataclass(frozen=True)
class Inputs:
    """Config, rows, weights and regions, checked; nothing is loaded or computed yet."""

    config: RunConfig
    dataset: Dataset
    weights: WeightsSource
    classes: tuple[str, ...]
    """In the order of the model's outputs."""
    specs: tuple[MapSpec, ...]
    annotations: Annotations | None
    recipe: Mapping[str, Any]
    """What the numbers depend on."""

    @property
    def fingerprint(self) -> str:
        """Of the recipe."""
        return results.fingerprint(self.recipe)

    @property
    def labels(self) -> IntArray:
        """Class index of every sample, in the order of the model's outputs."""
        return np.array([self.classes.index(sample.label) for sample in self.dataset.samples], np.int32)

    @property
    def resampling(self) -> Resampling:
        """How intervals over images are drawn."""
        bootstrap = self.config.bootstrap
        return Resampling(bootstrap.num_resamples, bootstrap.confidence, self.config.seed)

    @property
    def run_name(self) -> str:
        """Shown in MLflow."""
        return self.config.tracking.run_name or f"{stem_of(self.weights.path.name)} on {self.dataset.name}"

    @property
    def folder(self) -> Path:
        """Where the results go."""
        default = results.default_folder(self.config.runs_dir, self.run_name, self.fingerprint)
        return self.config.output_dir or default


def stem_of(file_name: str) -> str:
    """A weights file's name without its ending; other dots stay, such as those of `weights.01-0.50.h5`."""
    lowered = file_name.lower()
    ending = next((ending for ending in WEIGHTS_ENDINGS if lowered.endswith(ending)), "")
    return file_name[: len(file_name) - len(ending)] or file_name


def gather_inputs(config: RunConfig, clock: Stopwatch) -> Inputs:
    """Reads and checks everything that can be wrong before a model is built.

    Raises:
        EvalHarnessError: The weights, the CSV, an image, an annotation or an attention setting cannot be used.
    """
    weights = find_weights(config)
    with clock.timed("scan"):
        dataset = datasets.load_dataset(
            config.dataset,
            model_classes=config.model.classes,
            runs_dir=config.runs_dir,
            limit=config.limit,
            seed=config.seed,
            num_workers=config.num_workers,
        )
    classes = config.model.classes or dataset.classes
    models.configure_tensorflow(config.seed)
    specs = map_specs(config.attention, classes)
    for sentence in ambiguous_targets(specs, classes):
        note(sentence)
    recipe = results.build_recipe(config, dataset, weights, classes, specs)
    return Inputs(config, dataset, weights, classes, specs, read_regions(config, dataset, classes), recipe)


def read_regions(config: RunConfig, dataset: Dataset, classes: Sequence[str]) -> Annotations | None:
    """The annotated regions that `dataset.annotations` names, and what a user should know of them.

    Raises:
        ConfigError: There is no map to audit them on.
        DatasetError: Annotations that cannot be read or do not fit; or none of them belongs to a row.
    """
    path = config.dataset.annotations
    if path is None:
        return None
    if not config.attention.methods:
        raise ConfigError(
            "annotated regions are audited on attention maps, and there are none",
            expected="at least one method",
            got="[]",
            where="attention.methods",
            fix="Name a method, such as attention.methods=[libra], or set dataset.annotations=null",
        )
    found = load_configured_annotations(
        config,
        path,
        samples=dataset.samples,
        images=dataset.images,
        classes=classes,
        left_out=dataset.left_out,
    )
    for message in found.messages:
        note(f"annotations: {message}")
    for doubt in found.doubts:
        warn(f"annotations: {doubt.text}")
    if not found.regions:
        raise _none_belongs(path, found)
    return found


def warnings_of_regions(inputs: Inputs, grid_size: tuple[int, int]) -> list[str]:
    """What is unlikely in the annotations, as sentences; that of the model's grid is told, the rest was before.

    Args:
        inputs: Of the evaluation.
        grid_size: Patch rows and patch columns.
    """
    if inputs.annotations is None:
        return []
    small = [f"annotations: {doubt.text}" for doubt in small_categories(inputs.annotations.areas, grid_size)]
    for text in small:
        warn(text)
    return [*(f"annotations: {doubt.text}" for doubt in inputs.annotations.doubts), *small]


def _none_belongs(path: Path, found: Annotations) -> DatasetError:
    if found.left_out_images:
        return DatasetError(
            "no annotation belongs to a row that is evaluated",
            expected="at least one annotated image among the rows",
            got=f"{len(found.left_out_images):,} annotated images of rows that are left out",
            where=path,
            fix="Raise limit, or keep these rows (dataset.exclude, dataset.on_error)",
        )
    return DatasetError(
        "no annotation belongs to a row of the CSV",
        expected="file names or paths as in the CSV",
        got=", ".join(found.unmatched_images[:3]) or "no annotated image",
        where=path,
    )
