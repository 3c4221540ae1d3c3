"""Whether annotations were drawn on a photo as it is stored, or as it is shown: upright, after its EXIF rotation."""

from collections.abc import Sequence
from itertools import zip_longest

from evalharness.annotations.shapes import Box, Polygons, RunLengths, Shape, Size, decode, encode, encode_mask
from evalharness.audit.geometry import turn_upright
from evalharness.records import FIRST_TURNED_ORIENTATION, ImageInfo

INVERSE = {6: 8, 8: 6}
"""The EXIF orientation that undoes another; the others undo themselves."""
_TURNS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}
"""By EXIF orientation: whether x and y of the upright photo change places, and which of them is mirrored before."""


def tell_frame(size: Size | None, info: ImageInfo, wanted: str) -> str | None:
    """The frame that regions of an image are in: `stored` or `upright`; None where nothing tells.

    Args:
        size: (height, width) of the image, where the annotations say.
        info: Of the file.
        wanted: `dataset.annotations_frame`.
    """
    if info.exif_orientation == 1:
        return "stored"
    if wanted != "auto":
        return wanted
    sizes = {frame: frame_size(info, frame) for frame in ("stored", "upright")}
    if size is None or sizes["stored"] == sizes["upright"]:
        return None
    return "upright" if size == sizes["upright"] else "stored"


def frame_size(info: ImageInfo, frame: str) -> Size:
    """(height, width) of the photo in a frame, in pixels."""
    is_swapped = frame == "upright" and info.is_turned
    return (info.width, info.height) if is_swapped else (info.height, info.width)


def to_stored(shape: Shape, size: Size, orientation: int) -> Shape:
    """A shape drawn on the upright photo, on the photo as stored.

    Args:
        shape: On the upright photo.
        size: (height, width) of the upright photo, in pixels.
        orientation: EXIF orientation of the file.

    Raises:
        ShapeError: Run lengths of another size.
    """
    if isinstance(shape, RunLengths):
        runs = encode(shape, size)
        return encode_mask(turn_upright(decode(runs), INVERSE.get(orientation, orientation)))
    # Corners are turned rather than pixels, of which photos have millions.
    height, width = (1, 1) if shape.is_relative else size
    if isinstance(shape, Polygons):
        return Polygons(tuple(_turn_ring(ring, height, width, orientation) for ring in shape.rings), shape.is_relative)
    corners = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
    left, top, right, bottom = _turn_ring(corners, height, width, orientation)
    is_swapped = orientation >= FIRST_TURNED_ORIENTATION
    sides = (shape.height, shape.width) if is_swapped else (shape.width, shape.height)
    return Box(min(left, right), min(top, bottom), *sides, shape.is_relative)


def _turn_ring(ring: Sequence[float], height: float, width: float, orientation: int) -> tuple[float, ...]:
    """Points, x and y in turn, of the upright photo of this size on the photo as stored."""
    is_swapped, is_x_mirrored, is_y_mirrored = _TURNS[orientation]
    turned: list[float] = []
    # An odd number of coordinates is told where the shape is encoded.
    for x, y in zip_longest(ring[::2], ring[1::2]):
        across = width - x if is_x_mirrored else x
        down = y if y is None or not is_y_mirrored else height - y
        turned += [down, across] if is_swapped else [across, down]
    return tuple(number for number in turned if number is not None)
