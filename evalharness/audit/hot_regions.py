"""The hottest connected parts of a map, and the crop that shows one."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from evalharness.audit.geometry import BoolArray, bounding_box
from evalharness.audit.noise import EIGHT_NEIGHBOURS, HOT_DENSITY
from evalharness.records import FloatArray, UInt8Array

MAX_REGIONS = 3
"""Of one photo, the strongest."""


@dataclass(frozen=True, slots=True)
class HotRegion:
    """Hot patches that hang together."""

    patches: BoolArray
    """(grid rows, grid columns)"""
    share: float
    """Part of the whole map that lies on them."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Top, bottom, left and right as parts of the map's height and width."""
        rows, columns = self.patches.shape
        top, bottom, left, right = bounding_box(self.patches)
        return top / rows, bottom / rows, left / columns, right / columns


def spread_patches(patches: BoolArray, image: UInt8Array) -> FloatArray:
    """Coverage of each pixel of an image (height, width, 3) by patches of its grid: 0 or 1, (height, width)."""
    rows, columns = patches.shape
    return np.kron(patches, np.ones((image.shape[0] // rows, image.shape[1] // columns)))


def hottest_region(density: FloatArray, excluded: BoolArray | None = None) -> HotRegion | None:
    """Finds the connected hot patches (eight neighbours) that hold most of a map.

    Args:
        density: One map, 1 is an average patch, (grid rows, grid columns).
        excluded: Patches that do not count, such as those of the object, same shape.

    Returns:
        None where no patch that counts is hot, or the map is not finite.
    """
    found = find_regions(density, threshold=HOT_DENSITY, min_share=0, most=1, excluded=excluded)
    return found[0] if found else None


def find_regions(
    density: FloatArray,
    *,
    threshold: float,
    min_share: float,
    most: int = MAX_REGIONS,
    excluded: BoolArray | None = None,
) -> tuple[HotRegion, ...]:
    """Finds hot patches that hang together (eight neighbours), those with most of the map first.

    Args:
        density: One map, 1 is an average patch, (grid rows, grid columns).
        threshold: A patch is hot above this density.
        min_share: Least part of the map that a region holds, 0 to 1.
        most: Regions that are kept.
        excluded: Patches that do not count, same shape.

    Returns:
        None at all where the map is not finite, or nothing in it is hot.
    """
    values = np.asarray(density, np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        return ()
    hot = values > threshold
    if excluded is not None:
        hot &= ~excluded
    labels, num_regions = ndimage.label(hot, EIGHT_NEIGHBOURS)
    sums = ndimage.sum_labels(values, labels, np.arange(1, num_regions + 1))
    shares = sums / values.sum()
    order = np.argsort(-sums, kind="stable")[:most]
    return tuple(HotRegion(labels == index + 1, float(shares[index])) for index in order if shares[index] >= min_share)


def crop_box(
    box: tuple[float, float, float, float], size: tuple[int, int], *, margin: float, smallest: float
) -> tuple[int, int, int, int]:
    """A square of pixels around a box, moved inside the image.

    Args:
        box: Top, bottom, left and right as parts of the image's height and width; cut to the image.
        size: (height, width) of the image in pixels.
        margin: Added on each side, in parts of the box's longer side.
        smallest: Least length of the square, as part of the image's shorter side.

    Returns:
        Top, bottom, left and right in pixels; not a square only where the image is too small for it.
    """
    height, width = size
    top, bottom, left, right = (
        float(np.clip(edge, 0, 1)) * side for edge, side in zip(box, (height, height, width, width), strict=True)
    )
    longer = max(bottom - top, right - left)
    side = max(longer * (1 + 2 * margin), smallest * min(height, width), 1.0)
    return (*_place((top + bottom) / 2, side, height), *_place((left + right) / 2, side, width))


def _place(centre: float, length: float, limit: int) -> tuple[int, int]:
    """First and last edge of a stretch around a centre, moved inside 0 to `limit`."""
    whole = min(max(1, round(length)), limit)
    start = min(max(0, round(centre - whole / 2)), limit - whole)
    return start, start + whole
