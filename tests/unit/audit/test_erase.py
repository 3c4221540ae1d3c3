import subprocess
import sys

import numpy as np
import pytest

from evalharness.audit import FILLS, erase, pixels_to_erase, plan_erasure, translate


def box(size, top, bottom, left, right):
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def photo(size=(32, 40), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_any_covered_pixel_and_its_neighbours():
    coverage = np.zeros((6, 6))
    coverage[2, 3] = 1e-4
    coverage[5, 0] = 1
    np.testing.assert_array_equal(pixels_to_erase(coverage), box((6, 6), 1, 4, 2, 5) | box((6, 6), 4, 6, 0, 2))


@pytest.mark.parametrize("fill", FILLS)
def test_pixels_outside_stay(fill):
    image, pixels = photo(), box((32, 40), 5, 15, 10, 30)
    before = image.copy()
    erased = erase(image, pixels, fill)
    np.testing.assert_array_equal(erased[~pixels], image[~pixels])
    np.testing.assert_array_equal(image, before)
    assert erased.dtype == np.uint8
    assert (erased[pixels] != image[pixels]).any()


@pytest.mark.parametrize("fill", FILLS)
def test_nothing_of_what_was_inside_remains(fill):
    pixels = box((32, 40), 5, 15, 10, 30)
    image, other = photo(), photo()
    other[pixels] = photo(seed=9)[pixels]
    np.testing.assert_array_equal(erase(image, pixels, fill), erase(other, pixels, fill))


# OpenCV's inpainting extrapolates gradients from rounded values, and drifts by a few grey levels.
@pytest.mark.parametrize(("fill", "tolerance"), [("mean", 0), ("blur", 0), ("inpaint", 4)])
def test_an_even_photo_is_continued(fill, tolerance):
    image = np.full((32, 40, 3), (200, 30, 7), np.uint8)
    erased = erase(image, box((32, 40), 5, 15, 10, 30), fill)
    np.testing.assert_allclose(erased.astype(int), image.astype(int), atol=tolerance)


def test_mean_is_that_of_the_rest():
    image = np.array([[[0, 10, 20], [4, 10, 21], [255, 255, 255]]], np.uint8)
    erased = erase(image, np.array([[False, False, True]]), "mean")
    np.testing.assert_array_equal(erased[0, 2], [2, 10, 20])


def test_blur_is_the_weighted_mean_of_pixels_outside():
    image, pixels = photo((20, 20)), box((20, 20), 8, 12, 8, 12)
    rows, columns = np.mgrid[:20, :20]
    weights = np.exp(-((rows - 9) ** 2 + (columns - 10) ** 2) / (2 * 2.0**2))
    # Beyond four sigmas the filter ends.
    weights[(abs(rows - 9) > 8) | (abs(columns - 10) > 8) | pixels] = 0
    expected = (image * weights[..., None]).sum(axis=(0, 1)) / weights.sum()
    np.testing.assert_allclose(erase(image, pixels, "blur")[9, 10], expected, atol=0.51)


def test_deep_inside_a_large_region_blur_falls_back_to_the_mean():
    image, pixels = photo((40, 40)), box((40, 40), 0, 40, 1, 40)
    np.testing.assert_allclose(erase(image, pixels, "blur")[20, 39], image[:, 0].mean(axis=0), atol=0.51)


def test_erasing_everything_is_refused():
    with pytest.raises(ValueError, match="nothing is left"):
        erase(photo(), np.ones((32, 40), bool))


def test_translation():
    values = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(translate(values, (1, -1)), [[0, 0, 0], [1, 2, 0]])
    np.testing.assert_array_equal(translate(values, (-1, 2)), [[0, 0, 3], [0, 0, 0]])
    np.testing.assert_array_equal(translate(values, (0, 0)), values)


def plan(coverage, occupied=None, **given):
    occupied = coverage > 0 if occupied is None else occupied
    return plan_erasure(coverage, occupied, **{"row_id": "roses/1.jpg", "category": "dog", **given})


def test_controls_are_the_same_shape_inside_the_image_and_off_every_region():
    coverage = box((60, 60), 5, 15, 5, 12).astype(float)
    coverage[4, 8] = 0.3
    occupied = (coverage > 0) | box((60, 60), 30, 40, 0, 60)
    erasure = plan(coverage, occupied)
    assert erasure.status == "ok"
    assert len(set(erasure.offsets)) == 4
    for index in range(4):
        control = erasure.control(index)
        assert control.sum() == erasure.pixels.sum()
        assert not (control & occupied).any()


def test_controls_belong_to_the_row_and_category():
    coverage = box((60, 60), 5, 15, 5, 12).astype(float)
    assert plan(coverage).offsets == plan(coverage).offsets
    assert plan(coverage).offsets != plan(coverage, row_id="roses/2.jpg").offsets
    assert plan(coverage).offsets != plan(coverage, category="cat").offsets


def test_controls_do_not_depend_on_the_process():
    code = (
        "import numpy as np\nfrom evalharness.audit import plan_erasure\nc = np.zeros((60, 60))\nc[5:15, 5:12] = 1\n"
        "print(plan_erasure(c, c > 0, row_id='roses/1.jpg', category='dog').offsets)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(plan(box((60, 60), 5, 15, 5, 12).astype(float)).offsets)


def test_no_place_for_a_control():
    coverage = box((30, 30), 2, 28, 2, 28).astype(float)
    assert (plan(coverage).status, plan(coverage).offsets) == ("no_control", ())
    small = box((30, 30), 2, 5, 2, 5).astype(float)
    assert plan(small, np.ones((30, 30), bool)).status == "no_control"


def test_as_many_controls_as_there_are_places():
    # Dilated to 6 rows and the full width: the only free places are the last rows.
    coverage = box((14, 8), 1, 5, 0, 8).astype(float)
    erasure = plan(coverage)
    assert erasure.status == "ok"
    assert set(erasure.offsets) <= {(5, 0), (6, 0), (7, 0), (8, 0)}
    assert 0 < len(erasure.offsets) <= 4


def test_controls_stay_on_the_photo():
    coverage, photo_pixels = box((40, 40), 15, 20, 3, 8).astype(float), box((40, 40), 10, 30, 0, 40)
    erasure = plan(coverage, photo_pixels=photo_pixels)
    assert len(erasure.offsets) == 4
    assert not any((erasure.control(index) & ~photo_pixels).any() for index in range(4))


def test_nothing_or_everything_to_erase():
    assert plan(np.zeros((8, 8))).status == "empty"
    assert plan(box((8, 8), 1, 7, 1, 7).astype(float)).status == "full"
