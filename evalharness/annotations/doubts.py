"""What is unlikely in annotations that can be read: signs that the numbers mean something else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.annotations.parsed import list_some
from evalharness.annotations.shapes import Polygons, RunLengths, Shape, Size, find_extent

MIN_SHAPES = 3
"""Fewer show no pattern."""
OVERFLOWING = 0.2
"""Part of the boxes that reach beyond their image from which on corners may have been given as sizes."""
FRACTIONS = 0.5
NEARLY_ALL = 0.9
SLACK = 1.0
"""Pixels that a box may reach beyond its image: tools round."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something unlikely, and where to look at it."""

    sentence: str
    row_ids: tuple[str, ...]
    mark: str
    """The same in a few words, to be written above a photo."""

    @property
    def text(self) -> str:
        """The sentence with the first rows."""
        return f"{self.sentence}: {list_some(self.row_ids)}"


@dataclass
class _Count:
    """Shapes of one kind, and those of them that are unlikely."""

    total: int = 0
    unlikely: int = 0
    rows: dict[str, None] = field(default_factory=dict)

    def add(self, row_id: str, *, is_unlikely: bool) -> None:
        self.total += 1
        if is_unlikely:
            self.unlikely += 1
            self.rows[row_id] = None

    def is_pattern(self, part: float) -> bool:
        """Whether at least this part of the shapes is unlikely."""
        return self.unlikely >= max(MIN_SHAPES, part * self.total)


@dataclass
class ShapeCounts:
    """Boxes and polygons, counted as they are read."""

    overflowing: _Count = field(default_factory=_Count)
    """Boxes in pixels that reach beyond the image on the right or below."""
    overflowing_parts: _Count = field(default_factory=_Count)
    """Boxes in parts of the sides that reach beyond the image anywhere."""
    fractions: _Count = field(default_factory=_Count)
    """Boxes and polygons in pixels that lie within the first."""

    def add(self, row_id: str, shape: Shape, size: Size) -> None:
        """Counts a shape of an image of this (height, width)."""
        if isinstance(shape, RunLengths) or (isinstance(shape, Polygons) and not any(shape.rings)):
            return
        if isinstance(shape, Polygons):
            left, top, right, bottom = find_extent(shape)
        else:
            left, top, right, bottom = shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
        height, width = size
        if not shape.is_relative:
            # Pascal VOC counts from 1, so that parts of sides end up before the first pixel.
            is_fraction = max(right, bottom) <= 1 and min(left, top) >= -1
            self.fractions.add(row_id, is_unlikely=is_fraction)
        if isinstance(shape, Polygons):
            return
        if shape.is_relative:
            across, down = SLACK / width, SLACK / height
            is_beyond = min(left + across, top + down) < 0 or right > 1 + across or bottom > 1 + down
            self.overflowing_parts.add(row_id, is_unlikely=is_beyond)
        else:
            self.overflowing.add(row_id, is_unlikely=right > width + SLACK or bottom > height + SLACK)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the shapes together look like."""
        found = []
        as_if = "as they would if corners (x1, y1, x2, y2)"
        if (count := self.overflowing).is_pattern(OVERFLOWING):
            sentence = (
                f"{count.unlikely:,} of {count.total:,} boxes reach beyond their image on the right or below, {as_if} "
                "had been written where x, y, width, height belong, or sizes of another copy of the photos"
            )
            found.append(Doubt(sentence, tuple(count.rows), "box beyond the image"))
        if (count := self.overflowing_parts).is_pattern(OVERFLOWING):
            sentence = (
                f"{count.unlikely:,} of {count.total:,} boxes reach beyond their image, {as_if} or x, y, width, height "
                "had been written where the centre, width and height belong"
            )
            found.append(Doubt(sentence, tuple(count.rows), "box beyond the image"))
        if (count := self.fractions).is_pattern(FRACTIONS):
            sentence = (
                f"{count.unlikely:,} of {count.total:,} boxes and polygons lie within the first pixel of their image, "
                "as they would if parts of its sides (0 to 1) had been written where pixels belong"
            )
            found.append(Doubt(sentence, tuple(count.rows), "within the first pixel"))
        return tuple(found)


def small_categories(areas: Mapping[str, Sequence[tuple[str, float]]], grid_size: tuple[int, int]) -> tuple[Doubt, ...]:
    """Categories nearly all of whose regions cover less than a patch of the model, so that maps say little of them.

    Args:
        areas: By category: row id and part of its image that each region covers.
        grid_size: Patch rows and patch columns.
    """
    patch = 1 / (grid_size[0] * grid_size[1])
    found = []
    for category, regions in areas.items():
        small = [row_id for row_id, area in regions if area < patch]
        if len(small) >= max(MIN_SHAPES, NEARLY_ALL * len(regions)):
            sentence = (
                f"{len(small):,} of {len(regions):,} regions of {category} cover less than one of the model's "
                f"{grid_size[0]} x {grid_size[1]} patches: maps say little of them"
            )
            found.append(Doubt(sentence, tuple(dict.fromkeys(small)), f"{category}: under a patch"))
    return tuple(found)
