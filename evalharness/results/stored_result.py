"""Reads a finished results folder; needs neither TensorFlow nor the weights nor the images."""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalharness.errors import ResultsError
from evalharness.manifest import SAMPLES, damaged, read_manifest
from evalharness.records import FloatArray


class StoredResult:
    """One finished evaluation.

    Args:
        folder: The results folder.

    Raises:
        ResultsError: It is missing, unfinished or of another schema.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.manifest: dict[str, Any] = read_manifest(self.folder)

    def __repr__(self) -> str:
        accuracy = self.metrics.get("accuracy")
        return f"{type(self).__name__}({str(self.folder)!r}, {len(self.samples)} images, accuracy {accuracy:.4f})"

    @property
    def metrics(self) -> dict[str, float]:
        """Every scalar of the run, by its MLflow name."""
        return {name: np.nan if value is None else value for name, value in self.manifest["metrics"].items()}

    @property
    def recipe(self) -> dict[str, Any]:
        """Everything that the numbers depend on."""
        recipe: dict[str, Any] = self.manifest["recipe"]
        return recipe

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the model's outputs."""
        return tuple(self.manifest["classes"])

    @property
    def map_ids(self) -> tuple[str, ...]:
        """The attention maps that were stored."""
        return tuple(self.recipe["maps"])

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row per image: `row_id, path, label, pred_label, correct, confidence, prob_<class>...`.

        Raises:
            ResultsError: The file is missing or damaged.
        """
        path = self.folder / SAMPLES
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            raise damaged(path) from error

    @cached_property
    def logits(self) -> FloatArray:
        """(rows, C) float32, in the order of `samples`."""
        logits: FloatArray = np.load(self.folder / "logits.npy", mmap_mode="r")
        return logits

    @cached_property
    def features(self) -> FloatArray:
        """(rows, D) float16: the class token after the final norm, in the order of `samples`."""
        features: FloatArray = np.load(self.folder / "features.npy", mmap_mode="r")
        return features

    @cached_property
    def patch_norms(self) -> FloatArray:
        """(rows, grid rows, grid columns) float16: norms of the patch tokens at the last block's output."""
        norms: FloatArray = np.load(self.folder / "patch_norms.npy", mmap_mode="r")
        return norms

    def maps(self, map_id: str) -> FloatArray:
        """All densities of one map, (rows, grid rows, grid columns) float16, in the order of `samples`.

        Raises:
            ResultsError: This evaluation has no such map.
        """
        if map_id not in self.map_ids:
            raise ResultsError("no such attention map", expected=", ".join(self.map_ids), got=map_id, where=self.folder)
        maps: FloatArray = np.load(self.folder / "maps" / f"{map_id}.npy", mmap_mode="r")
        return maps

    def map(self, row_id: str, map_id: str | None = None) -> FloatArray:
        """One image's density: 1 is an average patch, NaN where the map was not defined.

        Args:
            row_id: The image's key.
            map_id: Default: the first map of the evaluation.

        Returns:
            (grid rows, grid columns) float32.

        Raises:
            ResultsError: No such image or map.
        """
        map_id = map_id or next(iter(self.map_ids), "")
        return np.asarray(self.maps(map_id)[self.position(row_id)], np.float32)

    def position(self, row_id: str) -> int:
        """Where the image stands in `samples` and in every array.

        Raises:
            ResultsError: No such image.
        """
        try:
            return self._positions[row_id]
        except KeyError as error:
            raise ResultsError(
                "no such image in the results", got=row_id, where=self.folder, fix="`result.samples.row_id` lists them"
            ) from error

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {row_id: position for position, row_id in enumerate(self.samples["row_id"])}
