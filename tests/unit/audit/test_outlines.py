"""Outlines of masks, by hand."""

import numpy as np
import pytest

from evalharness.audit.outlines import MAX_POLYGONS, trace_outlines
from evalharness.records import WHOLE, Extent


def rectangle(top, bottom, left, right, size=(100, 200)):
    mask = np.zeros(size, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def corners(polygon):
    return sorted(zip(polygon[::2], polygon[1::2], strict=True))


def test_a_rectangle_has_its_four_corners():
    (polygon,) = trace_outlines(rectangle(20, 60, 40, 100), WHOLE)
    expected = [(0.2, 0.2), (0.2, 0.6), (0.5, 0.2), (0.5, 0.6)]
    np.testing.assert_allclose(corners(polygon), expected, atol=0.005)


def test_patches_are_outlined_as_pixels_are():
    (polygon,) = trace_outlines(rectangle(1, 2, 0, 2, size=(4, 4)), WHOLE)
    np.testing.assert_allclose(corners(polygon), [(0, 0.25), (0, 0.5), (0.5, 0.25), (0.5, 0.5)], atol=0.005)


def test_corners_are_parts_of_the_photo_where_it_is_padded_or_cropped():
    # The photo spans the middle half of the input's height, and reaches beyond its sides.
    seen = Extent(top=0.25, bottom=0.75, left=-0.5, right=1.5)
    (polygon,) = trace_outlines(rectangle(25, 50, 0, 100), seen)
    np.testing.assert_allclose(corners(polygon), [(0.25, 0), (0.25, 0.5), (0.5, 0), (0.5, 0.5)], atol=0.01)


def test_pieces_are_told_apart_the_largest_first_and_no_more_than_are_seen():
    mask = rectangle(0, 50, 0, 50)
    for number in range(12):
        mask[60:64, 10 * number : 10 * number + 4] = True
    found = trace_outlines(mask, WHOLE)
    assert len(found) == MAX_POLYGONS
    assert max(found[0]) == pytest.approx(0.5, abs=0.01)


def test_an_empty_mask_has_no_outline():
    assert trace_outlines(np.zeros((10, 10), np.bool_), WHOLE) == []


def test_a_single_pixel_has_one():
    (polygon,) = trace_outlines(rectangle(50, 51, 100, 101), WHOLE)
    assert np.ptp(polygon[::2]) > 0
