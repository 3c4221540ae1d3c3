"""Every place at which a cut-out fits is drawn, and no other."""

import itertools

import numpy as np
import pytest

from evalharness.audit import paste_cutout


def paste(photo_size, row_id="1.jpg", scale=1.0):
    cutout = np.full((12, 12, 4), 255, np.uint8)
    photo = np.zeros((*photo_size, 3), np.uint8)
    return paste_cutout(photo, cutout, row_id=row_id, name="dog", scale_range=(scale, scale))


@pytest.mark.parametrize(
    ("photo_size", "scale", "side"), [((6, 5), 0.6, 3), ((5, 6), 0.6, 3), ((5, 5), 0.8, 4), ((7, 6), 1, 6)]
)
def test_every_place_is_drawn(photo_size, scale, side):
    pasted = [paste(photo_size, str(row), scale) for row in range(300)]
    assert {each.size for each in pasted} == {(side, side)}
    places = itertools.product(range(photo_size[0] - side + 1), range(photo_size[1] - side + 1))
    assert {(each.top, each.left) for each in pasted} == set(places)


@pytest.mark.parametrize(("photo_size", "fixed"), [((9, 4), "left"), ((4, 9), "top")])
def test_a_cutout_as_wide_or_high_as_the_photo_fits(photo_size, fixed):
    for row in range(40):
        pasted = paste(photo_size, str(row))
        assert getattr(pasted, fixed) == 0
        assert pasted.mask.sum() == 16
        assert (pasted.image[pasted.mask] == 255).all()


def test_the_mask_begins_at_the_place_that_is_told():
    for row in range(40):
        pasted = paste((8, 11), str(row), 0.5)
        expected = np.zeros((8, 11), bool)
        expected[pasted.top : pasted.top + 4, pasted.left : pasted.left + 4] = True
        np.testing.assert_array_equal(pasted.mask, expected)
        np.testing.assert_array_equal((pasted.image == 255).all(axis=2), expected)
