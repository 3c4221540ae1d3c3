"""The photos of a dataset by row: as the model sees them, for drawing, and where the one lies on the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evalharness.config import DatasetConfig
from evalharness.dataset.images import load_image, load_photo
from evalharness.dataset.placement import Placement, place
from evalharness.records import Dataset, Extent, ImageInfo, UInt8Array

MAX_DRAWN_SIDE = 512
"""Pixels of the longer side of a photo in a figure."""


@dataclass(frozen=True)
class Photos:
    """The photos of the rows of a dataset, read when asked for."""

    dataset: Dataset
    config: DatasetConfig
    image_size: tuple[int, int]
    """(height, width) of the model's input, in pixels."""

    def load_inputs(self, row_ids: Sequence[str]) -> UInt8Array:
        """Images as the model sees them, RGB (n, height, width, 3)."""
        return np.stack([self.load_input(row_id) for row_id in row_ids])

    def load_input(self, row_id: str) -> UInt8Array:
        """One image as the model sees it, RGB (height, width, 3)."""
        return load_image(self._paths[row_id], image_size=self.image_size, config=self.config)

    def load_photo(self, row_id: str) -> UInt8Array:
        """One photo for drawing, in its own proportions."""
        return load_photo(self._paths[row_id], config=self.config, max_side=MAX_DRAWN_SIDE)

    def placement(self, row_id: str) -> Placement:
        """Where a row's upright photo lands on the model's input."""
        return place_upright(self.dataset.images[row_id], self.image_size, self.config)

    def orientation(self, row_id: str) -> int:
        """The EXIF orientation that a row's photo is turned by before anything else; 1: not at all."""
        return applied_orientation(self.dataset.images[row_id], self.config)

    def extent(self, row_id: str) -> Extent:
        """The part of the model's input that a row's photo spans."""
        return self.placement(row_id).extent

    @cached_property
    def _paths(self) -> Mapping[str, Path]:
        return {sample.row_id: sample.path for sample in self.dataset.samples}


def place_upright(info: ImageInfo, image_size: tuple[int, int], config: DatasetConfig) -> Placement:
    """Where an image's upright photo lands on the model's input.

    Args:
        info: Of the file.
        image_size: (height, width) of the model's input, in pixels.
        config: The `dataset` section, which says whether EXIF rotations are applied, and how photos are resized.
    """
    is_turned = config.exif == "apply" and info.is_turned
    photo_size = (info.width, info.height) if is_turned else (info.height, info.width)
    return place(photo_size, image_size, config.resize, config.resize_size)


def applied_orientation(info: ImageInfo, config: DatasetConfig) -> int:
    """The EXIF orientation that an image is turned by under this config; 1: not at all."""
    return info.exif_orientation if config.exif == "apply" else 1
