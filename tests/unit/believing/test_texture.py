"""Statistics of pixels of images whose answer is known."""

import numpy as np

from evalharness.believing import measure_texture
from evalharness.believing.texture import FLOOR, NAMES


def test_a_grey_card_has_no_differences_and_stripes_have_them_one_way():
    grey = np.full((12, 12, 3), 128, np.uint8)
    stripes = np.zeros((12, 12, 3), np.uint8)
    stripes[:, ::2] = 255
    found = measure_texture(np.stack([grey, stripes]), [(10, 20), (20, 10)])
    card, striped = (dict(zip(NAMES, row, strict=True)) for row in found)
    assert all(np.isclose(card[name], np.log(FLOOR)) for name in NAMES if name != "aspect")
    assert np.isclose(striped["fine_across"], np.log(1 + FLOOR))
    assert np.isclose(striped["fine_down"], np.log(FLOOR))
    assert np.isclose(striped["coarse_across"], np.log(FLOOR))
    assert np.isclose(card["aspect"], -striped["aspect"])
