"""Candidates: the connected hot patches of a map."""

import numpy as np
from scipy import ndimage

from evalharness.audit.hot_regions import HotRegion
from evalharness.audit.noise import EIGHT_NEIGHBOURS
from evalharness.records import Extent, FloatArray

MAX_REGIONS = 3
"""Of one photo, the strongest."""


def find_regions(
    density: FloatArray, *, threshold: float, min_share: float, most: int = MAX_REGIONS
) -> tuple[HotRegion, ...]:
    """Finds hot patches that hang together (eight neighbours), those with most of the map first.

    Args:
        density: One map, 1 is an average patch, (grid rows, grid columns).
        threshold: A patch is hot above this density.
        min_share: Least part of the map that a region holds, 0 to 1.
        most: Regions that are kept.

    Returns:
        None at all where the map is not finite, or nothing in it is hot.
    """
    values = np.asarray(density, np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        return ()
    labels, num_regions = ndimage.label(values > threshold, EIGHT_NEIGHBOURS)
    shares = ndimage.sum_labels(values, labels, np.arange(1, num_regions + 1)) / values.sum()
    order = np.argsort(-shares, kind="stable")[:most]
    return tuple(HotRegion(labels == index + 1, float(shares[index])) for index in order if shares[index] >= min_share)


def part_of_photo(region: HotRegion, extent: Extent) -> tuple[float, float, float, float]:
    """A region's box: top, bottom, left and right as parts of the photo's height and width, cut to the photo.

    Args:
        region: On the model's input.
        extent: The part of the model's input that the photo spans.
    """
    top, bottom, left, right = region.box
    rows = [(edge - extent.top) / (extent.bottom - extent.top) for edge in (top, bottom)]
    columns = [(edge - extent.left) / (extent.right - extent.left) for edge in (left, right)]
    first, last, start, end = (float(edge) for edge in np.clip([*rows, *columns], 0, 1))
    return first, last, start, end
