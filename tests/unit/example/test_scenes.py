"""Drawn scenes: repeatable, and with masks that tell exactly where things are."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from evalharness.example.photos import CLASSES, DISTRACTORS, cutouts
from evalharness.example.scenes import PHOTO_SIZE, draw_photos

ANIMALS = (None, *DISTRACTORS)


@pytest.mark.parametrize("flower", CLASSES)
def test_equal_seeds_give_equal_photos(flower):
    first, second = (draw_photos([9, 4], flower, ["cat"])[0] for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert [item.category for item in first.objects] == [item.category for item in second.objects]
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first.objects, second.objects, strict=True))


def test_other_seeds_give_other_photos():
    first, second = (draw_photos([9, number], "roses", [None])[0] for number in (1, 2))
    assert np.abs(first.image.astype(int) - second.image).mean() > 10


def test_the_order_of_animals_changes_no_photo():
    alone = draw_photos([3, 8], "tulips", ["dog"])[0]
    together = draw_photos([3, 8], "tulips", ["bird", None, "dog"])[2]
    assert np.array_equal(alone.image, together.image)


@pytest.mark.parametrize("number", range(12))
def test_only_the_animals_pixels_differ_from_the_clean_scene(number):
    clean, *others = draw_photos([5, number], CLASSES[number % 5], ANIMALS)
    for animal, photo in zip(DISTRACTORS, others, strict=True):
        (mask,) = [item.mask for item in photo.objects if item.category == animal]
        change = np.abs(photo.image.astype(int) - clean.image).max(axis=2)
        # The blur of the lens carries an edge this far.
        near = binary_dilation(mask, iterations=5)
        assert not change[~near].any()
        assert (change[mask] > 8).mean() > 0.8


@pytest.mark.parametrize("number", range(6))
def test_masks_do_not_overlap_and_shrink_where_the_animal_hides_a_flower(number):
    clean, *others = draw_photos([6, number], CLASSES[number % 5], ANIMALS)
    flowers = np.any([item.mask for item in clean.objects], axis=0)
    assert flowers.any()
    for photo in others:
        assert np.sum([item.mask for item in photo.objects], axis=0).max() == 1
        left = np.any([item.mask for item in photo.objects if item.category in CLASSES], axis=0)
        assert not (left & ~flowers).any()
        animal = next(item.mask for item in photo.objects if item.category in DISTRACTORS)
        assert 0.01 < animal.mean() < 0.4


def test_photos_without_a_flower_hold_the_animal_only():
    (photo,) = draw_photos([1, 1], None, ["bird"])
    assert [item.category for item in photo.objects] == ["bird"]
    assert photo.image.shape == (PHOTO_SIZE[1], PHOTO_SIZE[0], 3)


def test_cutouts_are_cropped_distinct_and_transparent_around_the_animal():
    sheets = cutouts(4, height=96)
    assert tuple(sheets) == DISTRACTORS
    for images in sheets.values():
        assert len({image.tobytes() for image in images}) == 4
        for image in images:
            alpha = image[..., 3]
            assert alpha[[0, -1]].any()
            assert alpha[:, [0, -1]].any()
            assert (alpha == 0).mean() > 0.15
            assert (alpha == 255).mean() > 0.2
            assert 70 < image.shape[0] < 140
