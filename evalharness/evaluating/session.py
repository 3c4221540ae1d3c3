"""An evaluation at work: what its inputs name, loaded when first needed, and the rows that came out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import results
from evalharness.audit import BoolArray, ImageRegions
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.stopwatch import Stopwatch
from evalharness.inference import ForwardPass
from evalharness.records import FloatArray, IntArray, Sample, VisionTransformer
from evalharness.report import select_samples


@dataclass(frozen=True)
class Session:
    """The model, the photos and the regions of one evaluation."""

    inputs: Inputs
    clock: Stopwatch

    @cached_property
    def model(self) -> VisionTransformer:
        """The loaded model."""
        inputs = self.inputs
        with self.clock.timed("load_model"):
            return models.load_model(inputs.config.model, classes=inputs.classes, source=inputs.weights)

    @cached_property
    def forward(self) -> ForwardPass:
        """The model compiled with the maps of the config."""
        return ForwardPass(self.model, self.inputs.specs)

    @cached_property
    def model_properties(self) -> results.ModelProperties:
        """The model's sizes and digests: from the results folder if they are there, so that no model is needed."""
        stored = results.ModelProperties.read(self.inputs.folder, self.inputs.fingerprint)
        return stored if stored is not None else results.ModelProperties.of(self.model)

    @cached_property
    def photos(self) -> datasets.Photos:
        """Of every row of the dataset."""
        config = self.inputs.config
        return datasets.Photos(self.inputs.dataset, config.dataset, config.model.image_size)

    def regions_on_input(self, row_id: str) -> ImageRegions | None:
        """A row's annotated regions on the model's input; None if it has none."""
        annotations, photos = self.inputs.annotations, self.photos
        if annotations is None:
            return None
        return annotations.on_input(row_id, photos.placement(row_id), photos.orientation(row_id))


@dataclass(frozen=True)
class EvaluatedRows:
    """The rows that the model has seen, in the order of every array."""

    session: Session
    samples: tuple[Sample, ...]
    writer: results.ResultsWriter
    """Their logits, maps and norms."""

    @cached_property
    def row_ids(self) -> list[str]:
        """Of every row."""
        return [sample.row_id for sample in self.samples]

    @cached_property
    def groups(self) -> list[str]:
        """What the bootstrap draws together, per row."""
        return [sample.group for sample in self.samples]

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Of every row in the arrays, by row id."""
        return {row_id: position for position, row_id in enumerate(self.row_ids)}

    @cached_property
    def labels(self) -> IntArray:
        """Class indices, (rows,)."""
        classes = self.session.inputs.classes
        return np.array([classes.index(sample.label) for sample in self.samples])

    @cached_property
    def logits(self) -> FloatArray:
        """(rows, C) float64."""
        return np.asarray(self.writer.array("logits.npy"), np.float64)

    @cached_property
    def is_wrong(self) -> BoolArray:
        """Whether the verdict is, (rows,)."""
        return np.asarray(self.logits.argmax(axis=1) != self.labels)

    @property
    def maps(self) -> Mapping[str, Any]:
        """Views of the densities, (rows, grid rows, grid columns), by map id."""
        return self.writer.maps()

    def density(self, row_id: str, map_id: str) -> FloatArray:
        """One map of one row, (grid rows, grid columns) float32."""
        return np.asarray(self.maps[map_id][self.positions[row_id]], np.float32)

    def choose(self, num_images: int) -> list[str]:
        """Row ids of some images: seeded, the classes taking turns, the same in every run on the same rows."""
        return select_samples(self.samples, num_images, self.session.inputs.config.seed)

    def stored_table(self, name: str, key: Mapping[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A stage's table from the results folder, or made now, timed and stored there.

        Args:
            name: Of the table: `<name>.parquet`.
            key: Everything that it depends on; a table of another key counts as missing.
            make: Computes it.
        """
        tables = results.StageTables(self.writer.folder)
        table = tables.read(name, key)
        if table is None:
            with self.session.clock.timed(name):
                table = make()
            tables.write(name, key, table)
        return table
