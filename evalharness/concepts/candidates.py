"""Candidates: where on the photo the connected hot patches of a map lie."""

import numpy as np

from evalharness.audit.hot_regions import HotRegion
from evalharness.records import Extent


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
