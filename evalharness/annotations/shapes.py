"""Shapes as annotations give them, and the run lengths that they are kept as."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]
MIN_RING_NUMBERS = 6
BITS_PER_CHARACTER = 5
MAX_COUNT = (1 << 32) - 1
"""pycocotools keeps run lengths in 32 bits."""
MAX_BITS = 60
"""Of a number in COCO's compressed form: differences of run lengths, with room for the sign."""
MAX_OUTLINE = 2_000_000
"""Pixels along a polygon; pycocotools takes about 100 bytes for each."""


class ShapeError(Exception):
    """A shape that means nothing; the message is a clause for the user."""


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle."""

    x: float
    """Left edge. In pixels of the file, or, if relative, as part of the image's width."""
    y: float
    width: float
    height: float
    is_relative: bool = False


@dataclass(frozen=True, slots=True)
class Polygons:
    """The union of closed polygons."""

    rings: tuple[tuple[float, ...], ...]
    """x and y in turn, in pixels of the file or, if relative, as parts of the image's sides."""
    is_relative: bool = False


@dataclass(frozen=True, slots=True)
class RunLengths:
    """A mask by the lengths of its runs, column by column, off first: COCO's compressed form, a few hundred bytes."""

    size: Size
    """(height, width) in pixels of the file."""
    counts: bytes


Shape = Box | Polygons | RunLengths


def encode(shape: Shape, size: Size) -> RunLengths:
    """Turns a shape into run lengths; what lies outside the image is cut off.

    Args:
        shape: Any shape.
        size: (height, width) of the image as stored, in pixels.

    Raises:
        ShapeError: The shape is not one, or lies so far outside that it cannot be meant.
    """
    if isinstance(shape, RunLengths):
        if shape.size != size:
            raise ShapeError(f"its run lengths are for {_name(shape.size)}, the image has {_name(size)}")
        return shape
    return _encode_box(shape, size) if isinstance(shape, Box) else _encode_polygons(shape, size)


def encode_mask(mask: npt.NDArray[np.bool_]) -> RunLengths:
    """Turns a mask (height, width) into run lengths."""
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return RunLengths((mask.shape[0], mask.shape[1]), encoded["counts"])


def decode(runs: RunLengths) -> npt.NDArray[np.bool_]:
    """Turns run lengths into a mask, (height, width)."""
    from pycocotools import mask as coco_mask

    mask: npt.NDArray[np.bool_] = coco_mask.decode(_to_coco(runs)).astype(np.bool_)
    return mask


def count_pixels(runs: RunLengths) -> int:
    """Number of pixels that a mask covers."""
    from pycocotools import mask as coco_mask

    return int(coco_mask.area(_to_coco(runs)))


def find_extent(outline: Polygons | RunLengths) -> tuple[float, float, float, float]:
    """The left, top, right and bottom of what an outline spans."""
    if isinstance(outline, Polygons):
        across = [x for ring in outline.rings for x in ring[::2]]
        down = [y for ring in outline.rings for y in ring[1::2]]
        return min(across), min(down), max(across), max(down)
    from pycocotools import mask as coco_mask

    x, y, width, height = map(float, coco_mask.toBbox(_to_coco(outline)))
    return x, y, x + width, y + height


def from_counts(counts: list[int], size: Size) -> RunLengths:
    """Compresses run lengths that are given as numbers.

    Raises:
        ShapeError: They are not whole, negative, or do not add up to the image.
    """
    from pycocotools import mask as coco_mask

    if not all(type(count) is int for count in counts):
        raise ShapeError("its run lengths are not whole numbers")
    _check_counts(counts, size)
    return RunLengths(size, coco_mask.frPyObjects({"size": list(size), "counts": counts}, *size)["counts"])


def from_compressed(text: str, size: Size) -> RunLengths:
    """Takes run lengths in COCO's compressed form.

    Raises:
        ShapeError: They cannot be read, or do not add up to the image.
    """
    # pycocotools reads memory that it does not own where they do not add up.
    _check_counts(_read_compressed(text), size)
    return RunLengths(size, text.encode("ascii"))


def _encode_box(box: Box, size: Size) -> RunLengths:
    from pycocotools import mask as coco_mask

    height, width = size
    scale = np.array([width, height] * 2 if box.is_relative else [1, 1] * 2)
    left, top, box_width, box_height = np.array([box.x, box.y, box.width, box.height]) * scale
    if not np.isfinite([left, top, box_width, box_height]).all():
        raise ShapeError("its box has numbers that are not finite")
    if box_width < 0 or box_height < 0:
        raise ShapeError(f"its box has a negative side ({box_width:g} x {box_height:g})")
    right, bottom = np.clip([left + box_width, top + box_height], 0, [width, height])
    left, top = np.clip([left, top], 0, [width, height])
    corners = np.array([[left, top, right - left, bottom - top]], np.float64)
    return RunLengths(size, coco_mask.frPyObjects(corners, *size)[0]["counts"])


def _encode_polygons(polygons: Polygons, size: Size) -> RunLengths:
    from pycocotools import mask as coco_mask

    height, width = size
    rings = []
    for ring in polygons.rings:
        if len(ring) % 2:
            raise ShapeError(f"a polygon of it has an odd number of coordinates ({len(ring)})")
        points = np.array(ring, np.float64).reshape(-1, 2) * ((width, height) if polygons.is_relative else (1, 1))
        if not np.isfinite(points).all():
            raise ShapeError("a polygon of it has numbers that are not finite")
        # Further out is a mistake, and pycocotools allocates by the length of the outline.
        if (points < (-width, -height)).any() or (points > (2 * width, 2 * height)).any():
            raise ShapeError(f"a polygon of it lies far outside the image ({_name(size)})")
        length = np.abs(points - np.roll(points, 1, axis=0)).max(axis=1, initial=0).sum()
        if length > MAX_OUTLINE:
            raise ShapeError(f"a polygon of it is {length:,.0f} pixels long, more than {MAX_OUTLINE:,}")
        # Two points have no inside; pycocotools would take their four numbers for a box.
        if len(ring) >= MIN_RING_NUMBERS:
            rings.append(points.ravel().tolist())
    if not rings:
        return from_counts([height * width], size)
    return RunLengths(size, coco_mask.merge(coco_mask.frPyObjects(rings, *size))["counts"])


def _check_counts(counts: list[int], size: Size) -> None:
    if any(count < 0 for count in counts):
        raise ShapeError("one of its run lengths is negative")
    if size[0] * size[1] > MAX_COUNT:
        raise ShapeError(f"its run lengths are for more pixels than a photo has ({_name(size)})")
    if sum(counts) != size[0] * size[1]:
        raise ShapeError(f"its run lengths add up to {sum(counts)}, not to the pixels of {_name(size)}")


def _read_compressed(text: str) -> list[int]:
    """Decodes COCO's text form: base 32 with the low digits first; from the third on, differences to two before."""
    values: list[int] = []
    value, shift = 0, 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ShapeError(f"its run lengths hold the character {character!r}")
        value |= (code & 31) << shift
        shift += BITS_PER_CHARACTER
        if shift > MAX_BITS:
            raise ShapeError("one of its run lengths has too many digits")
        if not code & 32:
            values.append(value - (1 << shift) if code & 16 else value)
            value, shift = 0, 0
    if shift:
        raise ShapeError("its run lengths break off")
    # A run length is the sum of every second value up to it, apart from the very first.
    odd, even = list(accumulate(values[1::2])), list(accumulate(values[2::2]))
    counts = values[:1] + [0] * max(0, len(values) - 1)
    counts[1::2], counts[2::2] = odd, even
    return counts


def _to_coco(runs: RunLengths) -> dict[str, Any]:
    return {"size": list(runs.size), "counts": runs.counts}


def _name(size: Size) -> str:
    return f"{size[1]} x {size[0]} pixels"
