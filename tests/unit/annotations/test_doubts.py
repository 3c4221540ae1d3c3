"""Signs that annotations mean something else than they say, and that ordinary ones show none of them."""

import numpy as np
import pytest

from evalharness.annotations.doubts import ShapeCounts, small_categories
from evalharness.annotations.shapes import Box, Polygons, encode_mask

SIZE = (100, 200)


def doubts(*boxes, is_relative=False):
    counts = ShapeCounts()
    for number, box in enumerate(boxes):
        counts.add(f"r{number}", Box(*box, is_relative=is_relative), SIZE)
    return counts.doubts


def test_corners_given_as_sizes_reach_beyond_the_image():
    generator = np.random.default_rng(0)
    corners = [sorted(generator.integers(0, 200, 2)) + sorted(generator.integers(0, 100, 2)) for _ in range(30)]
    as_sizes = [(left, top, right, bottom) for left, right, top, bottom in corners]
    (doubt,) = doubts(*as_sizes)
    assert "corners (x1, y1, x2, y2)" in doubt.sentence
    assert len(doubt.row_ids) == sum(b[0] + b[2] > 201 or b[1] + b[3] > 101 for b in as_sizes)
    assert doubts(*((left, top, right - left, bottom - top) for left, right, top, bottom in corners)) == ()


def test_fractions_given_as_pixels_lie_in_the_first_pixel():
    (doubt,) = doubts((0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.2, 0.2), (0, 0, 1, 1))
    assert "parts of its sides (0 to 1)" in doubt.sentence
    assert doubt.row_ids == ("r0", "r1", "r2")
    assert doubts((0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.2, 0.2), (0, 0, 1, 1), is_relative=True) == ()


@pytest.mark.parametrize(
    "boxes",
    [
        [(10, 10, 20, 20)] * 30,
        [(150, 80, 50.9, 20.9)] * 30,  # tools round
        [(150, 80, 90, 20)] * 2,  # too few to be a pattern
        [(150, 80, 90, 20)] * 3 + [(10, 10, 20, 20)] * 30,
        [(0, 0, 1, 1)] * 3 + [(10, 10, 20, 20)] * 30,
    ],
)
def test_ordinary_boxes_raise_no_doubt(boxes):
    assert doubts(*boxes) == ()


def test_polygons_may_be_fractions_too():
    counts = ShapeCounts()
    for number in range(5):
        counts.add(str(number), Polygons(((0, 0, 0.5, 0, 0.5, 0.5),)), SIZE)
    (doubt,) = counts.doubts
    assert doubt.sentence.startswith("5 of 5 boxes and polygons lie within the first pixel")
    assert doubt.mark == "within the first pixel"


@pytest.mark.parametrize(
    "shape",
    [
        Polygons(((0, 0, 0.5, 0, 0.5, 0.5),), is_relative=True),
        Polygons(((10, 10, 250, 10, 250, 150),)),  # outlines are drawn beyond the border, and cut off
        Polygons(()),
        encode_mask(np.zeros(SIZE, bool)),
    ],
)
def test_other_shapes_raise_no_doubt(shape):
    counts = ShapeCounts()
    for number in range(5):
        counts.add(str(number), shape, SIZE)
    assert counts.doubts == ()


def test_fractions_in_pascal_voc_count_from_1():
    (doubt,) = doubts(*[(0.1 - 1, 0.2 - 1, 1.3, 1.5)] * 3)
    assert "within the first pixel" in doubt.sentence


def test_corners_where_yolo_has_the_centre():
    generator = np.random.default_rng(0)
    corners = np.sort(generator.random((30, 2, 2)), axis=1)
    sizes = corners[:, 1] - corners[:, 0]
    as_centre = [(left - right / 2, top - bottom / 2, right, bottom) for (left, top), (right, bottom) in corners]
    (doubt,) = doubts(*as_centre, is_relative=True)
    assert "where the centre, width and height belong" in doubt.sentence
    good = [(*corner, *size) for (corner, _), size in zip(corners, sizes, strict=True)]
    assert doubts(*good, is_relative=True) == ()
    assert doubts(*[(-0.004, -0.008, 1.008, 1.016)] * 30, is_relative=True) == ()  # tools round to pixels


def test_categories_smaller_than_a_patch():
    areas = {"wasp": [(f"r{n}", 0.001) for n in range(10)], "dog": [(f"r{n}", 0.1) for n in range(10)]}
    areas["cat"] = areas["wasp"][:5] + areas["dog"][:5]
    (doubt,) = small_categories(areas, (14, 14))
    assert doubt.sentence.startswith("10 of 10 regions of wasp cover less than one of the model's 14 x 14 patches")
    assert small_categories({"wasp": areas["wasp"][:2]}, (14, 14)) == ()
