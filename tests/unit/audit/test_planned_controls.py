"""Where controls may lie, against every translation tried one by one."""

import itertools

import numpy as np
import pytest

from evalharness.audit import ImageRegions, pixels_to_erase, place_regions, plan_erasure
from evalharness.dataset import place

SIZE = (16, 22)


def box(top, bottom, left, right, size=SIZE):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def legal_offsets(pixels, occupied, photo_pixels):
    height, width = pixels.shape
    region = [(int(row), int(column)) for row, column in np.argwhere(pixels)]
    free = {(int(row), int(column)) for row, column in np.argwhere(photo_pixels & ~occupied)}
    steps = itertools.product(range(-height, height + 1), range(-width, width + 1))
    return {
        (down, right) for down, right in steps if all((row + down, column + right) in free for row, column in region)
    }


def all_controls(coverage, others, photo_pixels=None):
    """Asks for more controls than there are places, in so many tries that none is missed; with what they avoid."""
    occupied = others | pixels_to_erase(coverage)
    erasure = plan_erasure(
        coverage,
        occupied,
        row_id="roses/1.jpg",
        category="dog",
        photo_pixels=photo_pixels,
        num_controls=10_000,
        max_tries=5000,
    )
    assert len(set(erasure.offsets)) == len(erasure.offsets)
    return erasure, occupied


L_SHAPE = (box(4, 8, 8, 9) | box(7, 8, 8, 11)).astype(float)
SMALL = box(4, 6, 8, 10).astype(float)


@pytest.mark.parametrize(
    "photo_pixels",
    [
        box(0, 16, 0, 22),
        box(0, 16, 5, 19),
        box(2, 14, 0, 22),
        box(2, 14, 5, 22),
        box(1, 16, 3, 20),
    ],
)
@pytest.mark.parametrize("coverage", [SMALL, L_SHAPE])
def test_every_place_on_the_photo_that_nothing_occupies_and_no_other(coverage, photo_pixels):
    erasure, occupied = all_controls(coverage, box(11, 12, 14, 17), photo_pixels)
    expected = legal_offsets(erasure.pixels, occupied, photo_pixels)
    assert len(expected) > 10
    assert set(erasure.offsets) == expected


def test_without_padding_every_place_of_the_image():
    erasure, occupied = all_controls(SMALL, box(0, 2, 0, 3))
    assert set(erasure.offsets) == legal_offsets(erasure.pixels, occupied, np.ones(SIZE, bool))


def test_a_photo_no_higher_than_the_region_has_places_beside_it():
    # Grown by one pixel the region has 4 rows and columns, from row 3 and column 7.
    erasure, _ = all_controls(SMALL, np.zeros(SIZE, bool), box(3, 7, 2, 17))
    assert set(erasure.offsets) == {(0, -5), (0, -4), (0, 4), (0, 5), (0, 6)}


def test_a_photo_no_wider_than_the_region_has_places_above_and_below():
    erasure, _ = all_controls(SMALL, np.zeros(SIZE, bool), box(2, 13, 7, 11))
    assert set(erasure.offsets) == {(4, 0), (5, 0), (6, 0)}


def test_the_last_row_and_column_count():
    assert set(all_controls(SMALL, np.zeros(SIZE, bool), box(3, 11, 7, 11))[0].offsets) == {(4, 0)}
    assert set(all_controls(SMALL, np.zeros(SIZE, bool), box(3, 7, 7, 15))[0].offsets) == {(0, 4)}
    for too_small in (box(3, 10, 7, 11), box(3, 7, 7, 14)):
        assert all_controls(SMALL, np.zeros(SIZE, bool), too_small)[0].status == "no_control"


def test_a_photo_smaller_than_the_region_has_no_place():
    for too_small in (box(3, 6, 2, 17), box(2, 13, 7, 10)):
        assert all_controls(SMALL, np.zeros(SIZE, bool), too_small)[0].status == "no_control"


def test_however_little_is_covered_is_occupied():
    coverage = {"dog": np.array([[0.0, 1e-6, 0.49, 0.0]]), "rose": np.array([[0.0, 0.0, 0.2, 1.0]])}
    regions = ImageRegions(coverage, np.array([[1.0, 0, 0, 0]]), np.ones((1, 4), bool))
    np.testing.assert_array_equal(regions.occupied, [[False, True, True, True]])


def test_controls_stay_off_a_region_thinner_than_a_pixel():
    """Four pixels of the photo make one of the input: the leash covers a quarter of each that it crosses."""
    size = (4 * SIZE[0], 4 * SIZE[1])
    masks = {"dog": box(16, 24, 32, 40, size), "leash": box(44, 45, 0, 88, size)}
    regions = place_regions(masks, {"dog": "distractor", "leash": "distractor"}, place(size, SIZE, "squash"))
    np.testing.assert_array_equal(regions.coverage["leash"], 0.25 * box(11, 12, 0, 22))
    np.testing.assert_array_equal(regions.occupied, box(4, 6, 8, 10) | box(11, 12, 0, 22))
    erasure, _ = all_controls(regions.coverage["dog"], regions.occupied, regions.photo_pixels)
    # Rows 0 to 10 are above the leash and rows 12 to 15 below it.
    assert {row for row, _ in erasure.offsets} == {-3, -2, -1, 0, 1, 2, 3, 4, 9}
    assert not any((erasure.control(index)[11]).any() for index in range(len(erasure.offsets)))
