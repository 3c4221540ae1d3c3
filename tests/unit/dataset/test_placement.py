import numpy as np
import pytest
from PIL import Image, ImageOps

from evalharness.dataset import place


def test_squash_scales_each_axis():
    placement = place((100, 200), (50, 50), "squash")
    assert (placement.scaled_size, placement.top, placement.left) == ((50, 50), 0, 0)
    np.testing.assert_allclose(placement.to_image(np.array([[200.0, 100.0], [20.0, 10.0]])), [[50, 50], [5, 5]])


@pytest.mark.parametrize(
    ("photo", "canvas", "scaled", "top", "left"),
    [
        ((100, 200), (50, 50), (50, 100), 0, -25),
        ((200, 100), (50, 50), (100, 50), -25, 0),
        ((100, 100), (50, 50), (50, 50), 0, 0),
        # 224 * 333 / 250 = 298.4
        ((250, 333), (224, 224), (224, 298), 0, -37),
        ((100, 200), (20, 80), (40, 80), -10, 0),
    ],
)
def test_crop(photo, canvas, scaled, top, left):
    placement = place(photo, canvas, "crop")
    assert (placement.scaled_size, placement.top, placement.left) == (scaled, top, left)


@pytest.mark.parametrize(
    ("photo", "canvas", "scaled", "top", "left"),
    [
        ((100, 200), (50, 50), (25, 50), 12, 0),
        ((200, 100), (50, 60), (50, 25), 0, 18),
        ((100, 100), (50, 50), (50, 50), 0, 0),
        ((1, 1000), (50, 50), (1, 50), 24, 0),
    ],
)
def test_pad(photo, canvas, scaled, top, left):
    placement = place(photo, canvas, "pad")
    assert (placement.scaled_size, placement.top, placement.left) == (scaled, top, left)


@pytest.mark.parametrize("photo", [(60, 97), (131, 50), (33, 33), (8, 90)])
@pytest.mark.parametrize("canvas", [(32, 32), (48, 32)])
def test_pad_covers_the_pixels_that_pillow_pads(photo, canvas):
    white = Image.new("L", photo[::-1], 255)
    expected = np.asarray(ImageOps.pad(white, canvas[::-1])) > 0
    placement = place(photo, canvas, "pad")
    covered = np.zeros(canvas, bool)
    height, width = placement.scaled_size
    covered[placement.top : placement.top + height, placement.left : placement.left + width] = True
    np.testing.assert_array_equal(covered, expected)


def test_centre_of_a_crop_is_the_centre_of_the_photo():
    placement = place((100, 200), (50, 50), "crop")
    np.testing.assert_allclose(placement.to_photo(np.array([[25.0, 25.0]])), [[100, 50]])
