"""The shape of a COCO annotation: its segmentation, or, where that has no inside, its box."""

from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.annotations.parsed import Tally, show
from evalharness.annotations.shapes import (
    MIN_RING_NUMBERS,
    Box,
    Polygons,
    RunLengths,
    Shape,
    ShapeError,
    Size,
    count_pixels,
    find_extent,
    from_compressed,
    from_counts,
)

MIN_SHARED = 0.1
"""Of a bbox and what a segmentation spans, relative to the larger: an object that is partly hidden shares more."""


def read_shape(entry: Mapping[str, Any], size: Size | None, tally: Tally, where: str) -> Shape | None:
    """Reads what an annotation covers; None if it does not say.

    The segmentation counts. The box counts where there is no segmentation, or one without an inside: empty, or with
    fewer than three points that do not lie on a line.

    Args:
        entry: The annotation.
        size: (height, width) of its image, if known.
        tally: Where it is counted what was used in another way than it is written.
        where: The annotation's name, for the tally.

    Raises:
        ShapeError: It says something that means nothing.
    """
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        outline: Polygons | RunLengths | None = _read_runs(segmentation, size)
    elif segmentation and not isinstance(segmentation, list):
        raise ShapeError(f"its segmentation is {show(segmentation)}, neither polygons nor run lengths")
    else:
        outline = _read_polygons(segmentation or [], tally, where)
    if outline is not None:
        if _lies_elsewhere(outline, entry.get("bbox")):
            tally.add("annotation", "with a bbox that lies elsewhere than the segmentation, which counts", where)
        return outline
    box = _read_box(entry.get("bbox"))
    if box is not None and "segmentation" in entry:
        tally.add("annotation", "taken by the bbox, the segmentation beside it being empty or no area", where)
    return box


def _read_box(box: object) -> Box | None:
    if box is None or box == []:
        return None
    if not isinstance(box, list) or len(box) != 4:
        raise ShapeError(f"its bbox is {show(box)}, not four numbers")
    x, y, width, height = _read_numbers(box, "bbox")
    return Box(x, y, width, height)


def _lies_elsewhere(outline: Polygons | RunLengths, box: object) -> bool:
    """Whether two statements of one annotation can hardly mean the same place, such as pixels and parts of a side."""
    try:
        x, y, width, height = _read_numbers(box, "bbox")
    except (ShapeError, ValueError, OverflowError):
        return False
    left, top, right, bottom = find_extent(outline)
    shared = max(0.0, min(right, x + width) - max(left, x)) * max(0.0, min(bottom, y + height) - max(top, y))
    return width * height > 0 and shared < MIN_SHARED * max(width * height, (right - left) * (bottom - top))


def _read_polygons(segmentation: list[Any], tally: Tally, where: str) -> Polygons | None:
    rings = _split_rings(segmentation)
    if rings is None:
        rings = _join_points(segmentation)
        tally.add("annotation", "with a segmentation of points [x, y] in place of a list x, y, x, y, ...", where)
    polygons = [_read_numbers(ring, "segmentation") for ring in rings]
    kept = tuple(ring for ring in polygons if _has_inside(ring))
    if kept and len(kept) < len(polygons):
        tally.add("annotation", "with more than one polygon, of which those that are no area left out", where)
    return Polygons(kept) if kept else None


def _split_rings(segmentation: list[Any]) -> list[Any] | None:
    """The polygons as they stand; None if they are made of points."""
    if not segmentation or not isinstance(segmentation[0], list):
        return [segmentation] if segmentation else []
    is_ring_of_points = len(segmentation) >= 3 and all(_is_point(part) for part in segmentation)
    has_rings_of_points = any(isinstance(part, list) and part and isinstance(part[0], list) for part in segmentation)
    return None if is_ring_of_points or has_rings_of_points else segmentation


def _join_points(segmentation: list[Any]) -> list[list[Any]]:
    rings = [segmentation] if all(_is_point(part) for part in segmentation) else segmentation
    if not all(isinstance(ring, list) and all(_is_point(point) for point in ring) for ring in rings):
        raise ShapeError(f"its segmentation is {show(segmentation)}, neither polygons nor run lengths")
    return [[number for point in ring for number in point] for ring in rings]


def _is_point(part: object) -> bool:
    return isinstance(part, list) and len(part) == 2 and not any(isinstance(number, list) for number in part)


def _has_inside(ring: Sequence[float]) -> bool:
    """Whether a polygon has three points that do not lie on one line."""
    if len(ring) < MIN_RING_NUMBERS:
        return False
    if len(ring) % 2:
        # It lacks a number, and is refused where it is drawn.
        return True
    left, top = ring[:2]
    along_x = along_y = 0.0
    for x, y in zip(ring[::2], ring[1::2], strict=True):
        if along_x == 0 == along_y:
            along_x, along_y = x - left, y - top
        elif along_x * (y - top) != along_y * (x - left):
            return True
    return False


def _read_runs(segmentation: Mapping[str, Any], image_size: Size | None) -> RunLengths | None:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not counts:
        return None
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise ShapeError(f"its run lengths have the size {show(size)}, not [height, width]")
    if image_size is not None and tuple(size) != image_size:
        raise ShapeError(f"its run lengths have the size {size}, its image [{image_size[0]}, {image_size[1]}]")
    if isinstance(counts, str):
        runs = from_compressed(counts, (size[0], size[1]))
    elif isinstance(counts, list):
        runs = from_counts(counts, (size[0], size[1]))
    else:
        raise ShapeError(f"its run lengths have the counts {show(counts)}, neither text nor a list")
    return runs if count_pixels(runs) else None


def _read_numbers(values: object, key: str) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise ShapeError(f"its {key} holds {show(values)} in place of a list of numbers")
    try:
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ShapeError(f"its {key} is {show(values)}, not numbers") from None
