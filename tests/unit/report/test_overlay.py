import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import colormaps

from evalharness.records import Extent
from evalharness.report import darken, upsample
from evalharness.report.overlay import fit, overlay, side_by_side

RNG = np.random.default_rng(0)


def naive_upsample(density, height, width):
    rows, columns = density.shape
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            row = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            column = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(row), int(column)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            upper = density[top, left] * (1 - column + left) + density[top, right] * (column - left)
            lower = density[bottom, left] * (1 - column + left) + density[bottom, right] * (column - left)
            result[y, x] = upper * (1 - row + top) + lower * (row - top)
    return result


@pytest.mark.parametrize(("grid", "size"), [((2, 2), (8, 8)), ((3, 5), (21, 40)), ((1, 4), (6, 16)), ((1, 1), (5, 3))])
def test_upsample_equals_naive_bilinear_between_patch_centres(grid, size):
    density = RNG.random(grid)
    np.testing.assert_allclose(upsample(density, size), naive_upsample(density, *size), atol=1e-6)


def test_upsample_by_hand():
    # Two patches of four pixels: centres at pixel 1.5 and 5.5, constant outside of them.
    expected = [0, 0, 1, 3, 5, 7, 8, 8]
    np.testing.assert_allclose(upsample(np.array([[0.0, 8.0]]), (1, 8))[0], expected)
    np.testing.assert_allclose(upsample(np.array([[0.0], [8.0]]), (8, 1))[:, 0], expected)


def test_same_size_changes_nothing():
    density = RNG.random((5, 7)).astype(np.float32)
    np.testing.assert_array_equal(upsample(density, (5, 7)), density)


@given(arrays(np.float32, (3, 4), elements=st.floats(0, 12, width=16)))
def test_upsampled_densities_stay_within_those_of_the_patches(density):
    pixels = upsample(density, (9, 16))
    assert pixels.min() >= density.min() - 1e-5
    assert pixels.max() <= density.max() + 1e-5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_bad_patch_makes_the_whole_map_undefined(bad):
    density = np.ones((2, 2))
    density[1, 0] = bad
    assert np.isnan(upsample(density, (8, 8))).all()


def test_hot_patch_lands_on_its_own_pixels():
    density = np.zeros((4, 6), np.float32)
    density[1, 4] = 24
    colours = overlay(np.full((64, 96, 3), 255, np.uint8), density, density_max=6, alpha=1)
    hottest = np.round(np.array(colormaps["inferno"](255))[:3] * 255)
    coldest = np.round(np.array(colormaps["inferno"](0))[:3] * 255)
    # Patches of 16 pixels: row 1 is pixels 16 to 31, column 4 is pixels 64 to 79.
    np.testing.assert_array_equal(colours[20:28, 68:76], np.broadcast_to(hottest, (8, 8, 3)))
    is_cold = (colours == coldest).all(axis=-1)
    assert not is_cold[16:32, 64:80].any()
    assert is_cold[40:].all()
    assert is_cold[:, :56].all()


def test_hotter_is_lighter_everywhere_on_the_scale():
    ramp = np.linspace(0, 6, 60)[None]
    colours = overlay(np.full((1, 60, 3), 255, np.uint8), ramp, density_max=6).astype(float)
    lightness = colours @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness[0]) >= -1).all()
    assert lightness[0, -1] > lightness[0, 0] + 100


def test_above_the_scale_looks_like_its_top():
    photo = RNG.integers(0, 256, (16, 16, 3), np.uint8)
    top, above = (overlay(photo, np.full((2, 2), density), density_max=6) for density in (6.0, 60.0))
    np.testing.assert_array_equal(top, above)
    below = overlay(photo, np.full((2, 2), 5.0), density_max=6)
    assert (below != top).any()


def test_equal_density_is_equal_colour_whatever_else_is_in_the_map():
    flat = np.ones((4, 4))
    peaked = np.ones((4, 4))
    peaked[0, 0] = 9
    first, second = (np.full((32, 32, 3), 90, np.uint8), np.full((32, 32, 3), 90, np.uint8))
    np.testing.assert_array_equal(
        overlay(first, flat, density_max=6)[20:, 20:], overlay(second, peaked, density_max=6)[20:, 20:]
    )


def test_photos_of_other_colours_but_equal_density_get_equal_tints():
    density = RNG.random((4, 4)) * 8
    red, green = np.zeros((2, 32, 32, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    # They differ by their lightness alone: by one factor in every channel and pixel, up to rounding.
    first, second = (overlay(photo, density, density_max=6).astype(float) for photo in (red, green))
    factor = (0.3 + 0.8 * 0.587) / (0.3 + 0.8 * 0.299)
    assert abs(second - factor * first).max() <= 0.5 + 0.5 * factor


def test_alpha_zero_is_the_grey_photo_lifted():
    grey = np.repeat(RNG.integers(0, 256, (8, 8, 1), np.uint8), 3, axis=2)
    lifted = np.minimum(np.rint(76.5 + 0.8 * grey.astype(float)), 255)
    drawn = overlay(grey, np.ones((2, 2)), density_max=6, alpha=0)
    assert abs(drawn - lifted).max() <= 1


def test_the_photo_is_seen_under_the_hottest_part():
    """Stripes of black and white keep at least half of their contrast at the top of the scale."""
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    drawn = overlay(stripes, np.full((2, 2), 50.0), density_max=6).astype(float) @ [0.299, 0.587, 0.114]
    assert drawn[:, ::2].mean() - drawn[:, 1::2].mean() > 0.5 * 255


def test_a_hot_spot_is_seen_on_black():
    density = np.zeros((2, 2))
    density[0, 0] = 6
    drawn = overlay(np.zeros((32, 32, 3), np.uint8), density, density_max=6).astype(float) @ [0.299, 0.587, 0.114]
    assert drawn[4, 4] - drawn[28, 28] > 40


def test_darken_multiplies_on_the_fixed_scale():
    photo = RNG.integers(0, 256, (8, 8, 3), np.uint8)
    for density, factor in ((0.0, 0), (1.5, 0.5), (6.0, 1), (30.0, 1)):
        dark = darken(photo, np.full((2, 2), density), density_max=6)
        np.testing.assert_array_equal(dark, np.rint(photo * factor).astype(np.uint8))


@pytest.mark.parametrize("draw", [overlay, darken])
@pytest.mark.parametrize("size", [(224, 224), (120, 300), (16, 16)])
def test_undefined_map_shows_the_photo_marked(draw, size):
    photo = np.full((*size, 3), (10, 200, 30), np.uint8)
    drawn = draw(photo, np.full((4, 4), np.nan), density_max=6)
    is_photo = (drawn == photo).all(axis=-1)
    assert drawn.shape == photo.shape
    assert 0.3 < is_photo.mean() < 0.97
    assert (photo == (10, 200, 30)).all(), "the photo itself must not change"
    assert not np.array_equal(drawn, draw(photo, np.zeros((4, 4)), density_max=6))


def test_half_precision_maps_are_drawn():
    photo = np.full((8, 8, 3), 200, np.uint8)
    np.testing.assert_array_equal(
        overlay(photo, np.full((2, 2), 3, np.float16), density_max=6),
        overlay(photo, np.full((2, 2), 3.0), density_max=6),
    )


@pytest.mark.parametrize(("size", "fitted"), [((100, 50), (64, 32)), ((10, 20), (32, 64)), ((64, 64), (64, 64))])
def test_fit_keeps_proportions(size, fitted):
    assert fit(np.zeros((*size, 3), np.uint8), 64).shape == (*fitted, 3)


def test_side_by_side():
    left, right = np.zeros((4, 3, 3), np.uint8), np.full((4, 5, 3), 7, np.uint8)
    both = side_by_side(left, right, gap=2)
    assert both.shape == (4, 10, 3)
    assert (both[:, :3] == 0).all()
    assert (both[:, 3:5] == 255).all()
    assert (both[:, 5:] == 7).all()


def test_a_cropped_photo_is_coloured_only_where_the_model_saw_it():
    # The photo spans twice the input's width: a quarter on each side was cropped away.
    photo = np.full((8, 16, 3), 100, np.uint8)
    density = np.array([[0.0, 6.0], [0.0, 6.0]])
    extent = Extent(0.0, 1.0, -0.5, 1.5)
    drawn = overlay(photo, density, density_max=6, extent=extent)
    # 0.3 x 255 + 0.8 x 100, without a colour.
    np.testing.assert_array_equal(drawn[:, :4], 156)
    np.testing.assert_array_equal(drawn[:, 12:], 156)
    inner = overlay(photo[:, 4:12], density, density_max=6)
    np.testing.assert_array_equal(drawn[:, 4:12], inner)
    assert not darken(photo, density, density_max=6, extent=extent)[:, :4].any()


def test_the_map_of_a_padded_photo_is_cut_to_the_photo():
    density = np.arange(16, dtype=np.float32).reshape(4, 4)
    whole = upsample(density, (16, 16))
    # The photo fills the middle half of the rows.
    np.testing.assert_allclose(upsample(density, (8, 16), Extent(0.25, 0.75, 0.0, 1.0)), whole[4:12], atol=1e-5)
