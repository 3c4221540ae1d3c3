import numpy as np
import pytest

from evalharness.audit import paste_cutout


def photo(size=(48, 64)):
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)


def disc(side=40, margin=10):
    """A red disc with a transparent margin, whose hidden colour is green."""
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    alpha = (np.hypot(rows, columns) < side / 2 - margin) * 255
    colour = np.where(alpha[..., None] > 0, (255, 0, 0), (0, 255, 0))
    return np.dstack([colour, alpha]).astype(np.uint8)


def test_pixels_off_the_mask_stay_and_the_mask_is_where_the_cutout_is():
    pasted = paste_cutout(photo(), disc(), row_id="1.jpg", name="dog")
    np.testing.assert_array_equal(pasted.image[~pasted.mask], photo()[~pasted.mask])
    black, white = (np.full((48, 64, 3), value, np.uint8) for value in (0, 255))
    changed = [
        (paste_cutout(even, disc(), row_id="1.jpg", name="dog").image != even).any(axis=2) for even in (black, white)
    ]
    np.testing.assert_array_equal(changed[0] | changed[1], pasted.mask)
    rows, columns = np.flatnonzero(pasted.mask.any(axis=1)), np.flatnonzero(pasted.mask.any(axis=0))
    assert (rows[0], columns[0]) == (pasted.top, pasted.left)
    assert (len(rows), len(columns)) == pasted.size


def test_hidden_colours_do_not_bleed_in():
    pasted = paste_cutout(np.zeros((48, 64, 3), np.uint8), disc(), row_id="1.jpg", name="dog")
    assert pasted.image[..., 1].max() == 0
    assert pasted.image[..., 0].max() == 255


def test_half_transparent_pixels_are_blended():
    cutout = np.zeros((10, 10, 4), np.uint8)
    cutout[...] = (200, 0, 0, 51)
    pasted = paste_cutout(np.full((20, 20, 3), 100, np.uint8), cutout, row_id="1", name="x", scale_range=(0.5, 0.5))
    assert pasted.size == (10, 10)
    np.testing.assert_array_equal(np.unique(pasted.image[pasted.mask], axis=0), [[120, 80, 80]])


def test_place_and_scale_belong_to_row_and_cutout():
    first = paste_cutout(photo(), disc(), row_id="1.jpg", name="dog")
    again = paste_cutout(photo(), disc(), row_id="1.jpg", name="dog")
    np.testing.assert_array_equal(first.image, again.image)
    places = {
        (pasted.top, pasted.left, pasted.size)
        for pasted in (
            first,
            paste_cutout(photo(), disc(), row_id="2.jpg", name="dog"),
            paste_cutout(photo(), disc(), row_id="1.jpg", name="cat"),
        )
    }
    assert len(places) == 3


@pytest.mark.parametrize("shape", [(10, 30), (30, 10)])
def test_scale_is_of_the_longer_side(shape):
    cutout = np.full((*shape, 4), 255, np.uint8)
    pasted = paste_cutout(photo(), cutout, row_id="1", name="x", scale_range=(1, 1))
    assert max(pasted.size) == 48
    assert min(pasted.size) == 16


def test_a_scale_range_bounds_the_size():
    sizes = [max(paste_cutout(photo(), disc(), row_id=str(row), name="x").size) for row in range(60)]
    assert min(sizes) >= 14
    assert max(sizes) <= 24
    assert len(set(sizes)) > 5


def test_mistakes():
    with pytest.raises(ValueError, match="transparent"):
        paste_cutout(photo(), np.zeros((5, 5, 4), np.uint8), row_id="1", name="x")
    with pytest.raises(ValueError, match="scale_range"):
        paste_cutout(photo(), disc(), row_id="1", name="x", scale_range=(0.5, 1.5))
