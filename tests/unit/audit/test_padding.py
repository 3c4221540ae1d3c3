"""Padding is no part of the photo: not in fills, shares, areas, ranks, or places for controls."""

from dataclasses import dataclass

import numpy as np
import pytest

from evalharness.audit import (
    FILLS,
    erase,
    find_photo,
    grid_coverage,
    measure_looks,
    place_regions,
    plan_erasure,
)


@dataclass(frozen=True)
class Placed:
    """A photo of 8 x 16 pixels in the middle rows of an input of 16 x 16."""

    photo_size: tuple = (8, 16)
    image_size: tuple = (16, 16)
    scaled_size: tuple = (8, 16)
    top: int = 4
    left: int = 0


PHOTO = find_photo(Placed())


def regions_of(rows, columns, **ignored):
    masks = {"dog": np.zeros((8, 16), bool), **ignored}
    masks["dog"][rows, columns] = True
    return place_regions(masks, {"dog": "distractor", "leaf": "ignore"}, Placed())


def padded(photo, padding=0):
    image = np.full((16, 16, 3), padding, np.uint8)
    image[4:12] = photo
    return image


def test_the_photo_is_the_middle_rows():
    assert PHOTO[4:12].all()
    assert PHOTO.sum() == 8 * 16


def test_the_mean_is_that_of_the_photo():
    """Left half 40, right half 200, black padding; erasing the right half leaves 40 and not 40 * 64 / 192."""
    photo = np.full((8, 16, 3), 40, np.uint8)
    photo[:, 8:] = 200
    pixels = np.zeros((16, 16), bool)
    pixels[4:12, 8:] = True
    erased = erase(padded(photo), pixels, "mean", photo_pixels=PHOTO)
    assert (erased[4:12] == 40).all()
    assert (erased[:4] == 0).all()
    assert (erased[12:] == 0).all()
    assert erase(padded(photo), pixels, "mean")[8, 12, 0] == round(40 * 64 / (64 + 128))


@pytest.mark.parametrize("fill", FILLS)
def test_every_fill_is_that_of_the_photo_alone(fill):
    photo = np.random.default_rng(0).integers(0, 256, (8, 16, 3)).astype(np.uint8)
    pixels = np.zeros((16, 16), bool)
    pixels[4:8, 5:11] = True
    alone = erase(photo, pixels[4:12], fill)
    for padding in (0, 255):
        erased = erase(padded(photo, padding), pixels, fill, photo_pixels=PHOTO)
        np.testing.assert_array_equal(erased, padded(alone, padding))


def test_a_region_at_the_edge_of_the_photo_does_not_grow_into_the_padding():
    regions = regions_of(slice(0, 2), slice(0, 3))
    erasure = plan_erasure(
        regions.coverage["dog"], regions.occupied, row_id="a", category="dog", photo_pixels=regions.photo_pixels
    )
    assert not (erasure.pixels & ~PHOTO).any()
    assert erasure.pixels.sum() == 3 * 4
    assert erasure.offsets
    for index in range(len(erasure.offsets)):
        assert not (erasure.control(index) & ~PHOTO).any()


def test_a_region_that_fills_the_photo_is_full_and_is_not_filled_from_the_padding():
    regions = regions_of(slice(None), slice(None))
    erasure = plan_erasure(
        regions.coverage["dog"], regions.occupied, row_id="a", category="dog", photo_pixels=regions.photo_pixels
    )
    assert erasure.status == "full"
    with pytest.raises(ValueError, match="every pixel of the photo"):
        erase(padded(np.zeros((8, 16, 3), np.uint8)), PHOTO, photo_pixels=PHOTO)


def looks_of(density, regions):
    coverage, left_out = (grid_coverage(values, (4, 4))[None] for values in (regions.coverage["dog"], regions.left_out))
    return measure_looks(np.asarray(density, float)[None], coverage, left_out)


def test_lift_is_measured_on_the_photo_by_hand():
    """The dog is a quarter of the photo (an eighth of the input) and has a third of what lies on the photo."""
    regions = regions_of(slice(None), slice(0, 4))
    density = [[3, 3, 3, 3], [2, 1, 1, 2], [2, 1, 1, 2], [0, 0, 0, 9]]
    looks = looks_of(density, regions)
    assert looks.area[0] == pytest.approx(1 / 4)
    assert looks.share[0] == pytest.approx(4 / 12)
    assert looks.lift[0] == pytest.approx(4 / 3)
    # Of the photo's patches two of the four hottest are inside; the padding's nine is none of them.
    assert looks.pointing[0] == pytest.approx(2 / 4)


def test_what_lies_on_the_padding_changes_nothing():
    regions = regions_of(slice(2, 6), slice(4, 9))
    generator = np.random.default_rng(1)
    density = generator.random((4, 4))
    other = density.copy()
    other[[0, 3]] = 100 * generator.random((2, 4))
    for name in ("share", "area", "lift", "pointing", "rank_accuracy", "auc"):
        np.testing.assert_allclose(getattr(looks_of(density, regions), name), getattr(looks_of(other, regions), name))


def test_an_even_map_on_the_photo_has_lift_one():
    """Whatever the padding holds; measured over the whole input it would have been 2."""
    density = np.zeros((4, 4))
    density[1:3] = 1
    assert looks_of(density, regions_of(slice(0, 5), slice(3, 9))).lift[0] == pytest.approx(1)


def test_a_map_that_lies_on_the_padding_alone_is_no_map_of_the_photo():
    looks = looks_of([[1] * 4, [0] * 4, [0] * 4, [1] * 4], regions_of(slice(0, 4), slice(0, 4)))
    assert np.isnan(looks.share[0])
    assert looks.num_without_map == 1


def test_what_is_left_out_is_what_is_ignored_and_padding():
    leaf = np.zeros((8, 16), bool)
    leaf[:2] = True
    regions = regions_of(slice(4, 6), slice(4, 8), leaf=leaf)
    np.testing.assert_array_equal(np.flatnonzero(regions.left_out[:, 0]), [0, 1, 2, 3, 4, 5, 12, 13, 14, 15])
    np.testing.assert_array_equal(np.flatnonzero(regions.ignored[:, 0]), [4, 5])
