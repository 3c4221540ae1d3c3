"""Occlusion of made-up scores whose map is known."""

import numpy as np
import pytest

from evalharness.attention.occlusion import hide, occlusion_map, patch_groups

PATCH = 4


def image_of(patches):
    """Grey patches (rows, columns) as an image of 4 x 4 pixels a patch."""
    grey = np.asarray(patches, np.uint8).repeat(PATCH, axis=0).repeat(PATCH, axis=1)
    return np.stack([grey] * 3, axis=-1)


def patch_mean(images, row, column):
    return images[:, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH].mean(axis=(1, 2, 3))


def test_a_score_of_one_patch_gives_a_map_of_one_patch_by_hand():
    # Hidden, the patch of 200 has the mean of the other five: (10 + 20 + 30 + 40 + 50) / 5 = 30. 200 - 30 = 170.
    image = image_of([[10, 20, 30], [40, 50, 200]])
    values = occlusion_map(image, (2, 3), 1, lambda images: patch_mean(images, 1, 2))
    np.testing.assert_allclose(values, [0, 0, 0, 0, 0, 170])


def test_what_speaks_against_the_score_is_negative():
    image = image_of([[10, 20, 30], [40, 50, 200]])
    values = occlusion_map(image, (2, 3), 1, lambda images: -2 * patch_mean(images, 1, 2))
    np.testing.assert_allclose(values, [0, 0, 0, 0, 0, -340])


@pytest.mark.parametrize(
    ("grid_size", "group_size", "expected"),
    [
        ((2, 3), 1, [[0, 1, 2], [3, 4, 5]]),
        ((3, 5), 2, [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]),
        ((4, 2), 2, [[0, 0], [0, 0], [1, 1], [1, 1]]),
        ((4, 3), 3, [[0, 0, 0], [0, 0, 0], [0, 0, 0], [1, 1, 1]]),
    ],
)
def test_groups_are_squares_cut_at_the_right_and_lower_border(grid_size, group_size, expected):
    np.testing.assert_array_equal(patch_groups(grid_size, group_size), expected)


@pytest.mark.parametrize(("grid_size", "group_size"), [((3, 5), 2), ((4, 4), 2), ((5, 3), 3), ((2, 7), 1)])
def test_any_linear_score_from_a_loop_over_pixels(grid_size, group_size):
    rows, columns = grid_size
    generator = np.random.default_rng(group_size)
    image = generator.integers(0, 256, (rows * PATCH, columns * PATCH, 3)).astype(np.uint8)
    weights = generator.normal(size=image.shape)
    seen = []

    def score(images):
        seen.append(len(images))
        return (images * weights).sum(axis=(1, 2, 3))

    expected = np.zeros(grid_size)
    for top in range(0, rows, group_size):
        for left in range(0, columns, group_size):
            inside = [
                (y, x)
                for y in range(top * PATCH, min(top + group_size, rows) * PATCH)
                for x in range(left * PATCH, min(left + group_size, columns) * PATCH)
            ]
            outside = [(y, x) for y, x in np.ndindex(image.shape[:2]) if (y, x) not in set(inside)]
            colour = np.round(np.mean([image[y, x].astype(float) for y, x in outside], axis=0))
            loss = sum(((image[y, x] - colour) * weights[y, x]).sum() for y, x in inside)
            expected[top : top + group_size, left : left + group_size] = loss
    before = image.copy()
    values = occlusion_map(image, grid_size, group_size, score)
    np.testing.assert_allclose(values.reshape(grid_size), expected, rtol=1e-8, atol=1e-6)
    np.testing.assert_array_equal(image, before)
    assert sum(seen) == 1 + -(-rows // group_size) * -(-columns // group_size)


def test_the_image_itself_comes_first():
    image = image_of([[10, 20], [30, 40]])
    first = []
    occlusion_map(image, (2, 2), 1, lambda images: first.append(images[0]) or np.zeros(len(images)))
    np.testing.assert_array_equal(first[0], image)


def test_hidden_patches_take_the_mean_colour_of_the_rest_and_the_rest_stays():
    image = image_of([[0, 0, 90], [0, 30, 60]])
    image[..., 1] = 7
    hidden = hide(image, np.array([[True, True, False], [False, False, False]]), (2, 3))
    # Red: (90 + 0 + 30 + 60) / 4 = 45; green is 7 everywhere.
    assert (hidden[:PATCH, : 2 * PATCH] == [45, 7, 45]).all()
    np.testing.assert_array_equal(hidden[PATCH:], image[PATCH:])
    np.testing.assert_array_equal(hidden[:, 2 * PATCH :], image[:, 2 * PATCH :])
