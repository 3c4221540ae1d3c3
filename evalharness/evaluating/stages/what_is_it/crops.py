"""From a hot region of a map to the crop of the photo that shows it."""

from collections.abc import Sequence

from evalharness.audit.hot_regions import HotRegion, crop_box
from evalharness.records import Extent, UInt8Array

SMALLEST_CROP = 0.3
"""Least side of a crop, as part of the photo's shorter side: a patch alone shows nothing."""


def crop_of(photo: UInt8Array, box: Sequence[float]) -> UInt8Array:
    """A part of a photo.

    Args:
        photo: RGB (height, width, 3).
        box: Top, bottom, left and right as parts of the photo's height and width.
    """
    height, width = photo.shape[:2]
    top, bottom, left, right = (
        round(edge * side) for edge, side in zip(box, (height, height, width, width), strict=True)
    )
    return photo[top:bottom, left:right]


def box_around(region: HotRegion, photo: UInt8Array, extent: Extent, *, margin: float) -> tuple[float, ...]:
    """The crop around a region: top, bottom, left and right as parts of the photo.

    Args:
        region: On the model's input, of which the photo may be a part.
        photo: RGB (height, width, 3).
        extent: The part of the model's input that the photo spans.
        margin: Added on each side, in parts of the region's longer side.
    """
    height, width = photo.shape[:2]
    top, bottom, left, right = region.box
    rows = [(edge - extent.top) / (extent.bottom - extent.top) for edge in (top, bottom)]
    columns = [(edge - extent.left) / (extent.right - extent.left) for edge in (left, right)]
    pixels = crop_box(
        (rows[0], rows[1], columns[0], columns[1]), (height, width), margin=margin, smallest=SMALLEST_CROP
    )
    return tuple(edge / side for edge, side in zip(pixels, (height, height, width, width), strict=True))
