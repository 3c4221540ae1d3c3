"""What is unlikely in annotations that can be read: signs that the numbers mean something else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalharness.annotations.parsed import list_some
from evalharness.annotations.shapes import Box, Shape, Size

MIN_BOXES = 3
"""Fewer boxes show no pattern."""
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

    @property
    def text(self) -> str:
        """The sentence with the first rows."""
        return f"{self.sentence}: {list_some(self.row_ids)}"


@dataclass
class BoxCounts:
    """Boxes in pixels, as they are read."""

    num_boxes: int = 0
    overflowing: dict[str, None] = field(default_factory=dict)
    """Rows with a box that reaches beyond the image on the right or below."""
    num_overflowing: int = 0
    fractions: dict[str, None] = field(default_factory=dict)
    """Rows with a box inside the first pixel."""
    num_fractions: int = 0

    def add(self, row_id: str, shape: Shape, size: Size) -> None:
        """Counts a shape of an image of this (height, width), if it is a box in pixels."""
        if not isinstance(shape, Box) or shape.is_relative:
            return
        self.num_boxes += 1
        right, bottom = shape.x + shape.width, shape.y + shape.height
        if right > size[1] + SLACK or bottom > size[0] + SLACK:
            self.num_overflowing += 1
            self.overflowing[row_id] = None
        if max(right, bottom) <= 1 and min(shape.x, shape.y) >= 0:
            self.num_fractions += 1
            self.fractions[row_id] = None

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the boxes together look like."""
        found = []
        if self.num_overflowing >= max(MIN_BOXES, OVERFLOWING * self.num_boxes):
            sentence = (
                f"{self.num_overflowing:,} of {self.num_boxes:,} boxes reach beyond their image on the right or below, "
                "as they would if corners (x1, y1, x2, y2) had been written where x, y, width, height belong"
            )
            found.append(Doubt(sentence, tuple(self.overflowing)))
        if self.num_fractions >= max(MIN_BOXES, FRACTIONS * self.num_boxes):
            sentence = (
                f"{self.num_fractions:,} of {self.num_boxes:,} boxes lie within the first pixel of their image, as "
                "they would if parts of its sides (0 to 1) had been written where pixels belong"
            )
            found.append(Doubt(sentence, tuple(self.fractions)))
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
        if len(small) >= max(MIN_BOXES, NEARLY_ALL * len(regions)):
            sentence = (
                f"{len(small):,} of {len(regions):,} regions of {category} cover less than one of the model's "
                f"{grid_size[0]} x {grid_size[1]} patches: maps say little of them"
            )
            found.append(Doubt(sentence, tuple(dict.fromkeys(small))))
    return tuple(found)
