import numpy as np
import pytest
from pycocotools import mask as coco_mask

from evalharness.annotations.shapes import (
    Box,
    Polygons,
    RunLengths,
    ShapeError,
    _read_compressed,
    count_pixels,
    decode,
    encode,
    encode_mask,
    from_compressed,
    from_counts,
)

SIZE = (8, 10)


def test_run_lengths_there_and_back():
    mask = np.random.default_rng(0).random((30, 41)) > 0.5
    runs = encode_mask(mask)
    np.testing.assert_array_equal(decode(runs), mask)
    assert count_pixels(runs) == mask.sum()
    assert from_compressed(runs.counts.decode(), (30, 41)) == runs


@pytest.mark.parametrize("density", [0.01, 0.5, 0.99])
def test_the_compressed_form_is_read_as_counted_by_hand(density):
    mask = np.random.default_rng(1).random((200, 300)) < density
    flat = mask.ravel(order="F").astype(int)
    edges = [0, *(np.flatnonzero(np.diff(flat)) + 1), flat.size]
    expected = np.diff(edges).tolist()
    expected = [0, *expected] if flat[0] else expected
    assert _read_compressed(encode_mask(mask).counts.decode()) == expected


def test_columns_come_first():
    np.testing.assert_array_equal(decode(from_counts([1, 2, 1], (2, 2))), [[False, True], [True, False]])


@pytest.mark.parametrize("counts", [[5, 5], [5, -5, 80], [90], [40.0, 40]])
def test_counts_that_do_not_add_up_are_refused(counts):
    with pytest.raises(ShapeError):
        from_counts(counts, SIZE)


@pytest.mark.parametrize("text", ["", "99", "P2P2", "l", "\x01", "~~"])
def test_broken_compressed_counts_are_refused(text):
    with pytest.raises(ShapeError):
        from_compressed(text, SIZE)


def test_a_box_covers_its_pixels():
    expected = np.zeros(SIZE, bool)
    expected[1:3, 2:5] = True
    np.testing.assert_array_equal(decode(encode(Box(2, 1, 3, 2), SIZE)), expected)
    relative = Box(0.2, 1 / 8, 0.3, 2 / 8, is_relative=True)
    np.testing.assert_array_equal(decode(encode(relative, SIZE)), expected)


def test_polygons_are_united_and_two_points_have_no_inside():
    square, other = (0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0), (1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0)
    assert count_pixels(encode(Polygons((square, other)), SIZE)) == 7
    assert count_pixels(encode(Polygons(((1.0, 1.0, 6.0, 6.0),)), SIZE)) == 0
    assert count_pixels(encode(Polygons(((1.0, 1.0, 6.0, 6.0), square)), SIZE)) == 4


@pytest.mark.parametrize(
    "ring", [(0.0, 0.0, 1.0, 1.0, 2.0), (0.0, 0.0, np.nan, 1.0, 2.0, 2.0), (0.0, 0.0, 99.0, 0.0, 9.0, 9.0)]
)
def test_polygons_that_mean_nothing(ring):
    with pytest.raises(ShapeError):
        encode(Polygons((ring,)), SIZE)


def test_run_lengths_of_another_size():
    with pytest.raises(ShapeError, match="10 x 9 pixels, the image has 10 x 8"):
        encode(RunLengths((9, 10), coco_mask.encode(np.asfortranarray(np.ones((9, 10), np.uint8)))["counts"]), SIZE)


def test_a_compressed_number_of_very_many_digits_is_refused_at_its_beginning():
    """Each character adds five bits; a million of them took more than 20 seconds."""
    with pytest.raises(ShapeError, match="too many digits"):
        from_compressed("o" * 1_000_000, SIZE)


def test_an_outline_that_crosses_a_large_photo_very_often_is_refused():
    """5,000 rows, there and back: 80 million pixels, of which pycocotools would keep 8 GB."""
    zigzag = tuple(number for row in range(5_000) for number in (0, row, 8_000, row))
    with pytest.raises(ShapeError, match=r"a polygon of it is 8\d,\d{3},\d{3} pixels long"):
        encode(Polygons((zigzag,)), (6_000, 8_000))
    few = tuple(number for row in range(100) for number in (0, row, 8_000, row))
    assert count_pixels(encode(Polygons((few,)), (6_000, 8_000)))
