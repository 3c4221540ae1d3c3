"""Deletion, insertion, SaCo and rank correlation against hand-worked cases and slow loops."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from evalharness.attention.faithfulness_measures import (
    BASELINES,
    area_under_curve,
    baseline_image,
    curves_of,
    fill_photo,
    group_patches,
    patches_of_photo,
    perturbed_copies,
    rank_correlation,
    rank_patches,
    replace_patches,
    saco,
)

GRID, PATCH = (2, 3), 4


def patch_image(values):
    """A grey image whose patches have these values."""
    grey = np.asarray(values, np.uint8).reshape(GRID).repeat(PATCH, axis=0).repeat(PATCH, axis=1)
    return grey[..., None].repeat(3, axis=-1)


def patch_values(image):
    return image[::PATCH, ::PATCH, 0].ravel()


def test_patches_are_ranked_from_the_highest():
    assert rank_patches(np.array([0.1, 3.0, 0.0, 1.5]), seed=0).tolist() == [1, 3, 0, 2]


def test_ties_are_broken_by_the_seed_and_move_no_other_patch():
    density = np.array([0, 0, 5, 0, 0, 0, 0, 7, 0, 0])
    orders = [rank_patches(density, seed).tolist() for seed in (0, 0, 1, 2)]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 3
    for order in orders:
        assert order[:2] == [7, 2]
        assert sorted(order) == list(range(10))
    # Zeros in the order of the image would give a map of zeros a preference for the top.
    first = [rank_patches(np.zeros(10), seed)[0] for seed in range(200)]
    assert np.bincount(first, minlength=10).min() >= 5


def test_groups_have_nearly_equal_size_and_keep_the_order():
    groups = group_patches(np.arange(10)[::-1], 4)
    assert [group.tolist() for group in groups] == [[9, 8, 7], [6, 5, 4], [3, 2], [1, 0]]


def test_the_mean_is_one_colour():
    image = np.zeros((8, 12, 3), np.uint8)
    image[:, :6] = (200, 100, 51)
    mean = baseline_image(image, "mean")
    assert mean.shape == image.shape
    assert np.unique(mean.reshape(-1, 3), axis=0).tolist() == [[100, 50, 26]]


def test_the_blur_is_a_gaussian_of_a_tenth_of_the_shorter_side():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    offsets = np.arange(-8, 9)  # four standard deviations of 2 pixels
    weights = np.exp(-(offsets**2) / (2 * 2.0**2))
    weights /= weights.sum()
    expected = np.zeros((20, 30, 3))
    for row in range(20):
        for column in range(30):
            for down, weight_down in zip(offsets, weights, strict=True):
                for right, weight_right in zip(offsets, weights, strict=True):
                    pixel = image[np.clip(row + down, 0, 19), np.clip(column + right, 0, 29)]
                    expected[row, column] += weight_down * weight_right * pixel
    assert np.abs(baseline_image(image, "blur") - expected).max() <= 0.5 + 1e-3


def test_replaced_patches_come_from_the_other_image_row_by_row():
    found = replace_patches(patch_image(range(6)), patch_image(range(10, 16)), np.array([1, 5]), GRID)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, patch_image([0, 11, 2, 3, 4, 15]))


@pytest.mark.parametrize(
    ("curve", "area"), [([1, 1, 1], 1), ([1, 0.5, 0], 0.5), ([1, 0, 0], 0.25), ([0.8, 0.2, 0.4, 0.6, 0], 0.4)]
)
def test_area_by_hand(curve, area):
    assert area_under_curve(np.array(curve)) == pytest.approx(area)


def test_saco_by_hand():
    # Pairs: 5-3 agrees (0.3 > 0.2), 5-1 agrees (0.3 > 0.25), 3-1 does not (0.2 < 0.25): (2 + 4 - 2) / (2 + 4 + 2).
    assert saco(np.array([5.0, 3.0, 1.0]), np.array([0.3, 0.2, 0.25])) == pytest.approx(0.5)
    assert saco(np.array([5.0, 3.0, 1.0]), np.array([0.3, 0.2, 0.1])) == 1
    assert saco(np.array([5.0, 3.0, 1.0]), np.array([0.1, 0.2, 0.3])) == -1
    # Equal effects speak for neither order; the paper counts them as agreement.
    assert saco(np.array([5.0, 3.0]), np.array([0.2, 0.2])) == 1
    assert np.isnan(saco(np.array([2.0, 2.0, 2.0]), np.array([0.1, 0.2, 0.3])))


@pytest.mark.parametrize("seed", range(20))
def test_saco_as_the_paper_writes_it_down(seed):
    """Wu et al., algorithm 1: two loops over the groups from the most salient to the least."""
    generator = np.random.default_rng(seed)
    saliences = np.sort(generator.random(8))[::-1]
    drops = generator.normal(size=8)
    coefficient = total = 0.0
    for i in range(7):
        for j in range(i + 1, 8):
            weight = saliences[i] - saliences[j] if drops[i] >= drops[j] else -(saliences[i] - saliences[j])
            coefficient += weight
            total += abs(weight)
    assert saco(saliences, drops) == pytest.approx(coefficient / total)


def test_saco_does_not_depend_on_the_scale_of_the_map():
    saliences, drops = np.array([4.0, 2.0, 1.5, 0.1]), np.array([0.1, 0.4, 0.0, 0.2])
    assert saco(100 * saliences, drops) == pytest.approx(saco(saliences, drops))


def test_rank_correlation_is_spearman_s_with_ties_too():
    generator = np.random.default_rng(4)
    for _ in range(20):
        first, second = generator.integers(0, 5, (2, 3, 4))
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel()).statistic)


def test_rank_correlation_of_nothing_to_rank_is_undefined():
    some = np.arange(4.0)
    assert np.isnan(rank_correlation(some, np.ones(4)))
    assert np.isnan(rank_correlation(some, [0, 1, np.nan, 3]))
    assert rank_correlation(some, np.exp(some)) == pytest.approx(1)
    assert rank_correlation(some, -some) == pytest.approx(-1)


def test_copies_of_a_ranking_by_hand():
    image, away = patch_image([60, 10, 50, 20, 40, 30]), [patch_image([0] * 6), patch_image([1] * 6)]
    order = np.array([0, 2, 4, 5, 3, 1])
    copies = [patch_values(copy).tolist() for copy in perturbed_copies(image, order, GRID, 3, away)]
    assert copies == [
        # Deletion with the first filling, the most salient first; then insertion.
        [0, 10, 0, 20, 40, 30],
        [0, 10, 0, 20, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [60, 0, 50, 0, 0, 0],
        [60, 0, 50, 0, 40, 30],
        # The same with the second.
        [1, 10, 1, 20, 40, 30],
        [1, 10, 1, 20, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [60, 1, 50, 1, 1, 1],
        [60, 1, 50, 1, 40, 30],
        # SaCo: one group at a time, with the first filling.
        [0, 10, 0, 20, 40, 30],
        [60, 10, 50, 20, 0, 0],
        [60, 0, 50, 0, 40, 30],
    ]


def test_curves_of_a_score_that_adds_up_are_the_sums_of_what_is_left():
    """The score is the sum over patches, so every point of every curve is known."""
    values = np.array([60, 10, 50, 20, 40, 30])
    order = rank_patches(values, seed=0)
    copies = perturbed_copies(patch_image(values), order, GRID, 6, [patch_image([0] * 6), patch_image([1] * 6)])
    scores = np.array([patch_values(copy).sum() for copy in copies], float)
    curves = curves_of(float(values.sum()), scores, 6)
    assert list(curves) == [f"{kind}_{baseline}" for baseline in BASELINES for kind in ("deletion", "insertion")]
    for filling, baseline in enumerate(BASELINES):
        kept = [
            sum(value if rank >= step else filling for rank, value in enumerate(sorted(values, reverse=True)))
            for step in range(7)
        ]
        shown = [values.sum() + 6 * filling - left for left in kept]
        np.testing.assert_array_equal(curves[f"deletion_{baseline}"], kept)
        np.testing.assert_array_equal(curves[f"insertion_{baseline}"], shown)
    drops = values.sum() - scores[-6:]
    assert drops.tolist() == [60, 50, 40, 30, 20, 10]


# Of an input of 8 x 12 pixels: the photo touches four of its six patches and fills none.
PHOTO = (slice(3, 6), slice(4, 12))


def test_patches_with_a_pixel_of_the_photo_count():
    assert patches_of_photo(PHOTO, (8, 12), GRID).tolist() == [1, 2, 4, 5]
    assert patches_of_photo((slice(4, 5), slice(0, 1)), (8, 12), GRID).tolist() == [3]
    assert patches_of_photo((slice(0, 8), slice(0, 12)), (8, 12), GRID).tolist() == [0, 1, 2, 3, 4, 5]


def test_the_mean_is_that_of_the_photo_and_padding_stays():
    """Half of the photo 40, half 200: 120; with the black padding it would be 30."""
    image = np.zeros((8, 12, 3), np.uint8)
    image[3:6, 4:8], image[3:6, 8:] = 40, 200
    filled = fill_photo(image, PHOTO, "mean")
    assert (filled[PHOTO] == 120).all()
    assert filled.sum() == 120 * 3 * 8 * 3
    assert baseline_image(image, "mean")[0, 0, 0] == 30


def test_the_blur_takes_nothing_from_the_padding():
    image = np.zeros((8, 12, 3), np.uint8)
    image[PHOTO] = 90
    np.testing.assert_array_equal(fill_photo(image, PHOTO, "blur"), image)
    # Sigma is a tenth of the photo's shorter side, and its own edge is continued.
    image[PHOTO] = np.random.default_rng(1).integers(0, 256, (3, 8, 3))
    expected = gaussian_filter(image[PHOTO].astype(np.float32), (0.3, 0.3, 0), mode="nearest")
    np.testing.assert_array_equal(fill_photo(image, PHOTO, "blur")[PHOTO], np.rint(expected))


@pytest.mark.parametrize("baseline", BASELINES)
def test_without_padding_the_filling_is_the_baseline(baseline):
    image = np.random.default_rng(2).integers(0, 256, (8, 12, 3), np.uint8)
    whole = fill_photo(image, (slice(0, 8), slice(0, 12)), baseline)
    np.testing.assert_array_equal(whole, baseline_image(image, baseline))
