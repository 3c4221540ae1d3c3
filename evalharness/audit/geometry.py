"""From masks in a file's own pixels to coverage of the model's input and of its patches.

Coverage is the covered part of a pixel or patch, 0 to 1. It is exact: areas are averaged, nothing is rounded, so that a
region thinner than a pixel of the model's input is small and not gone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from evalharness.records import FloatArray

BoolArray = npt.NDArray[np.bool_]
Role = Literal["object", "distractor", "ignore"]
ROLES: tuple[Role, ...] = ("object", "distractor", "ignore")
HALF = 0.5


class Placement(Protocol):
    """Where an upright photo lands on the model's input; sizes are (height, width) in pixels."""

    @property
    def photo_size(self) -> tuple[int, int]:
        """Of the upright photo."""

    @property
    def image_size(self) -> tuple[int, int]:
        """Of the model's input."""

    @property
    def scaled_size(self) -> tuple[int, int]:
        """Of the photo after scaling."""

    @property
    def top(self) -> int:
        """Row of the scaled photo's corner on the model's input; negative where it is cropped."""

    @property
    def left(self) -> int:
        """Column of the same."""


@dataclass(frozen=True, slots=True)
class ImageRegions:
    """The annotated regions of one image, on the model's input."""

    coverage: Mapping[str, FloatArray]
    """By category of role object or distractor: covered part of each pixel, float32, (height, width)."""
    ignored: FloatArray
    """Part of each pixel that is to be ignored, (height, width)."""
    photo_pixels: BoolArray
    """Pixels that the photo reaches; the others are padding. (height, width)"""

    def mask(self, category: str) -> BoolArray:
        """Pixels of which the category covers at least half, (height, width)."""
        return self.coverage[category] >= HALF

    @property
    def left_out(self) -> FloatArray:
        """Part of each pixel that counts for nothing, ignored or padding, (height, width)."""
        left_out: FloatArray = np.where(self.photo_pixels, self.ignored, 1).astype(np.float32)
        return left_out

    @property
    def occupied(self) -> BoolArray:
        """Pixels that any object or distractor touches, (height, width)."""
        return self.occupied_by(self.coverage)

    def occupied_by(self, categories: Iterable[str]) -> BoolArray:
        """Pixels that any of the categories touches, (height, width)."""
        touched = np.zeros(self.ignored.shape, np.bool_)
        for category in categories:
            touched |= self.coverage[category] > 0
        return touched


def place_regions(
    masks: Mapping[str, BoolArray], roles: Mapping[str, Role], placement: Placement, *, orientation: int = 1
) -> ImageRegions:
    """Takes masks through the same rotation, scaling, cropping and padding as their image.

    Where roles overlap, ignore wins over distractor, and distractor over object, per pixel of the file. Categories of
    one role may overlap.

    Args:
        masks: By category, in the pixels of the file, (stored height, stored width).
        roles: Of every category in `masks`.
        placement: Of the upright photo.
        orientation: EXIF orientation that was undone on the image; 1 if none was.

    Raises:
        ValueError: A mask is not of the photo's size.
    """
    stored, ignored = _resolve_precedence(masks, roles)
    return ImageRegions(
        coverage={name: place_mask(mask, placement, orientation=orientation) for name, mask in stored.items()},
        ignored=np.zeros(placement.image_size, np.float32)
        if ignored is None
        else place_mask(ignored, placement, orientation=orientation),
        photo_pixels=find_photo(placement),
    )


def find_photo(placement: Placement) -> BoolArray:
    """Pixels of the model's input (height, width) that the photo reaches, a rectangle; the others are padding."""
    pixels = np.zeros(placement.image_size, np.bool_)
    bottom, right = placement.top + placement.scaled_size[0], placement.left + placement.scaled_size[1]
    pixels[max(0, placement.top) : max(0, bottom), max(0, placement.left) : max(0, right)] = True
    return pixels


def place_mask(mask: BoolArray, placement: Placement, *, orientation: int = 1) -> FloatArray:
    """Covered part of each pixel of the model's input, float32, (height, width).

    Args:
        mask: In the pixels of the file, (stored height, stored width).
        placement: Of the upright photo.
        orientation: EXIF orientation that was undone on the image; 1 if none was.

    Raises:
        ValueError: The mask is not of the photo's size.
    """
    upright = turn_upright(mask, orientation)
    if upright.shape != tuple(placement.photo_size):
        raise ValueError(f"a mask of {upright.shape} does not fit a photo of {placement.photo_size}")
    corner = (placement.top, placement.left)
    edges = [
        (np.arange(side + 1) - start) * (photo / scaled)
        for side, start, photo, scaled in zip(
            placement.image_size, corner, placement.photo_size, placement.scaled_size, strict=True
        )
    ]
    if not upright.any():
        return np.zeros(placement.image_size, np.float32)
    # Only the part around the region is summed: photos are large, and most regions are not.
    top, bottom, left, right = bounding_box(upright)
    rows = _average_rows(upright[top:bottom, left:right], edges[0] - top)
    coverage = _average_rows(rows.T, edges[1] - left).T
    # Differences of sums leave residues near 1e-13, which must not count as covered.
    return np.round(np.clip(coverage, 0, 1), 6).astype(np.float32)


def turn_upright(mask: BoolArray, orientation: int) -> BoolArray:
    """Undoes an EXIF rotation on an array (height, width, ...)."""
    turned = {
        2: lambda: mask[:, ::-1],
        3: lambda: mask[::-1, ::-1],
        4: lambda: mask[::-1],
        5: lambda: mask.swapaxes(0, 1),
        6: lambda: np.rot90(mask, -1),
        7: lambda: mask[::-1, ::-1].swapaxes(0, 1),
        8: lambda: np.rot90(mask, 1),
    }.get(orientation)
    return turned() if turned else mask


def resample(values: FloatArray, size: tuple[int, int]) -> FloatArray:
    """Scales an array (height, width, ...) to `size` = (height, width) by averaging areas."""
    edges = [np.linspace(0, old, new + 1) for old, new in zip(values.shape[:2], size, strict=True)]
    rows = _average_rows(values, edges[0]).swapaxes(0, 1)
    return _average_rows(rows, edges[1]).swapaxes(0, 1)


def grid_coverage(coverage: FloatArray, grid_size: tuple[int, int]) -> FloatArray:
    """Averages coverage of pixels over patches.

    Args:
        coverage: (..., height, width), each side a multiple of the grid's.
        grid_size: Patch rows and patch columns.

    Returns:
        Covered part of each patch, float64, (..., grid rows, grid columns).
    """
    rows, columns = grid_size
    *lead, height, width = coverage.shape
    patches = coverage.reshape(*lead, rows, height // rows, columns, width // columns)
    averages: FloatArray = patches.mean(axis=(-3, -1), dtype=np.float64)
    return averages


def grid_mask(coverage: FloatArray, ignored: FloatArray | None = None) -> BoolArray:
    """Decides which patches belong to a region.

    Those of which it covers at least half; if there is none, the patch that it covers best (the first of equals).
    Patches that are ignored by half or more never belong. A region that covers nothing has no patch.

    Args:
        coverage: Covered parts, (images, grid rows, grid columns).
        ignored: Ignored parts, same shape.

    Returns:
        (images, grid rows, grid columns)
    """
    flat = coverage.reshape(len(coverage), int(np.prod(coverage.shape[1:])))
    if ignored is not None:
        flat = np.where(ignored.reshape(flat.shape) >= HALF, 0, flat)
    mask = flat >= HALF
    best = flat.argmax(axis=1)
    needs_best = ~mask.any(axis=1) & (flat.max(axis=1, initial=0) > 0)
    mask[needs_best, best[needs_best]] = True
    return mask.reshape(coverage.shape)


def bounding_box(mask: BoolArray) -> tuple[int, int, int, int]:
    """First row, row after the last, first column, column after the last of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _resolve_precedence(
    masks: Mapping[str, BoolArray], roles: Mapping[str, Role]
) -> tuple[dict[str, BoolArray], BoolArray | None]:
    ignored = _union([mask for category, mask in masks.items() if roles[category] == "ignore"])
    distracting = _union([mask for category, mask in masks.items() if roles[category] == "distractor"])
    stored: dict[str, BoolArray] = {}
    for category, mask in masks.items():
        if roles[category] == "ignore":
            continue
        stored[category] = mask
        for winner in [ignored] if roles[category] == "distractor" else [ignored, distracting]:
            if winner is not None:
                stored[category] = stored[category] & ~winner
    return stored, ignored


def _union(masks: list[BoolArray]) -> BoolArray | None:
    return np.logical_or.reduce(masks) if masks else None


def _average_rows(values: npt.NDArray[np.generic], edges: FloatArray) -> FloatArray:
    """Integrates an array (n, ...) between consecutive edges, in units of its rows, divided by their distance.

    What lies outside the array counts as zero.
    """
    num_rows = len(values)
    inside = np.clip(edges, 0, num_rows)
    whole = np.minimum(np.floor(inside).astype(np.intp), num_rows - 1)
    # Counts of a boolean mask stay integers until here, which is faster and exact.
    dtype = np.int32 if values.dtype == np.bool_ else np.float64
    sums = np.cumsum(values, axis=0, dtype=dtype)
    before = sums[whole] - values[whole]
    part = (inside - whole).reshape(-1, *[1] * (values.ndim - 1))
    integral = before + part * values[whole]
    widths = np.diff(edges).reshape(-1, *[1] * (values.ndim - 1))
    averages: FloatArray = np.diff(integral, axis=0) / widths
    return averages
