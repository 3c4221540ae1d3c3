import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evalharness.audit import Resampling, measure_looks, summarise_looks

MAP = np.array([[[1.0, 2.0], [3.0, 4.0]]])
TOP = np.array([[[1.0, 1.0], [0.0, 0.0]]])
NAMES = ("share", "lift", "pointing", "rank_accuracy", "auc")


def test_by_hand():
    looks = measure_looks(MAP, TOP)
    assert looks.share[0] == pytest.approx(0.3)
    assert looks.area[0] == 0.5
    assert looks.lift[0] == pytest.approx(0.6)
    assert looks.pointing[0] == 0
    assert looks.rank_accuracy[0] == 0
    assert looks.auc[0] == 0
    bottom = measure_looks(MAP, 1 - TOP)
    assert (bottom.lift[0], bottom.pointing[0], bottom.rank_accuracy[0], bottom.auc[0]) == (1.4, 1, 1, 1)


def test_partly_covered_patches_count_by_their_area():
    coverage = np.array([[[0.5, 0.0], [0.0, 0.25]]])
    looks = measure_looks(MAP, coverage)
    assert looks.share[0] == pytest.approx((0.5 * 1 + 0.25 * 4) / 10)
    assert looks.area[0] == pytest.approx(0.75 / 4)
    # On the grid it is the first patch alone.
    assert looks.auc[0] == 0


def test_ignored_parts_leave_numerator_and_denominator():
    ignored = np.array([[[0.0, 0.0], [0.25, 1.0]]])
    looks = measure_looks(MAP, TOP, ignored)
    assert looks.share[0] == pytest.approx(3 / (3 + 0.75 * 3))
    assert looks.area[0] == pytest.approx(2 / 2.75)
    # Of the three patches that are left, those with 1 and 2 are inside, that with 3 is not.
    assert looks.pointing[0] == 0
    assert looks.rank_accuracy[0] == 0.5
    assert looks.auc[0] == 0


def test_ties_share():
    heat = np.array([[[2.0, 1.0], [2.0, 2.0]]])
    looks = measure_looks(heat, TOP)
    assert looks.pointing[0] == pytest.approx(1 / 3)
    # Two of three equal patches fill the two places; one of the three is inside.
    assert looks.rank_accuracy[0] == pytest.approx((2 / 3) / 2)
    # Pairs: 2 against 2 and 2 (half each), 1 against 2 and 2 (none).
    assert looks.auc[0] == pytest.approx(1 / 4)


def test_what_is_not_defined_is_nan_and_counted():
    nothing, everything = np.zeros((1, 2, 2)), np.ones((1, 2, 2))
    maps = np.concatenate([MAP, MAP, np.full((1, 2, 2), np.nan), nothing, MAP])
    looks = measure_looks(maps, np.concatenate([nothing, everything, TOP, TOP, TOP]))
    for name in NAMES:
        assert np.isnan(getattr(looks, name)[:4]).all(), name
        assert np.isfinite(getattr(looks, name)[4]), name
    np.testing.assert_array_equal(looks.area, [0, 1, 0.5, 0.5, 0.5])
    assert (looks.num_empty, looks.num_full, looks.num_without_map, looks.num_undefined) == (1, 1, 2, 4)


def test_a_region_on_every_patch_but_not_all_pixels_has_no_ranks():
    looks = measure_looks(MAP, np.full((1, 2, 2), 0.75))
    assert looks.lift[0] == pytest.approx(1)
    assert np.isnan([looks.pointing[0], looks.rank_accuracy[0], looks.auc[0]]).all()


def test_all_ignored():
    looks = measure_looks(MAP, np.zeros((1, 2, 2)), np.ones((1, 2, 2)))
    assert np.isnan([looks.area[0], looks.share[0], looks.auc[0]]).all()
    assert looks.num_empty == 1


def test_auc_is_scikit_learns():
    generator = np.random.default_rng(3)
    maps = generator.integers(0, 6, (20, 5, 7)).astype(float)
    masks = generator.random((20, 5, 7)) > 0.7
    expected = [roc_auc_score(mask.ravel(), heat.ravel()) for mask, heat in zip(masks, maps, strict=True)]
    np.testing.assert_allclose(measure_looks(maps, masks.astype(float)).auc, expected)


def test_rank_accuracy_is_the_mean_over_random_tie_breaks():
    generator = np.random.default_rng(4)
    heat = generator.integers(0, 3, (4, 4)).astype(float)
    mask = generator.random((4, 4)) > 0.6
    draws = []
    for _ in range(4000):
        order = np.lexsort((generator.random(16), -heat.ravel()))
        draws.append(mask.ravel()[order[: mask.sum()]].mean())
    assert measure_looks(heat[None], mask[None].astype(float)).rank_accuracy[0] == pytest.approx(
        np.mean(draws), abs=0.01
    )


def test_aggregate_lift_is_a_ratio_of_means():
    # A tiny region with a huge lift would rule a mean of ratios: (25 + 0.5) / 2.
    maps = np.ones((2, 1, 100))
    coverage = np.zeros((2, 1, 100))
    coverage[0, 0, 0], maps[0, 0, 0] = 1, 33.0
    coverage[1, 0, :50], maps[1, 0, :50] = 1, 1 / 3
    looks = measure_looks(maps, coverage)
    np.testing.assert_allclose(looks.share, [0.25, 0.25])
    np.testing.assert_allclose(looks.lift, [25, 0.5])
    lift = summarise_looks(measure_looks(np.tile(maps, (3, 1, 1)), np.tile(coverage, (3, 1, 1)))).lift
    assert lift.value == pytest.approx(0.25 / 0.255)
    # One of six drawn may lack either image, so the ends are near those of one kind alone.
    assert 0.5 <= lift.ci_low < lift.value < lift.ci_high <= 25


def test_summary_leaves_out_what_is_not_defined():
    maps = np.concatenate([MAP, np.full((1, 2, 2), np.nan)])
    summary = summarise_looks(measure_looks(maps, np.concatenate([TOP, 1 - TOP])))
    assert (summary.num_images, summary.num_undefined) == (2, 1)
    assert summary.lift.value == pytest.approx(0.6)
    nothing = summarise_looks(measure_looks(maps[1:], TOP))
    assert np.isnan([nothing.share.value, nothing.lift.ci_low, nothing.auc.ci_high]).all()


def test_lift_interval_against_a_plain_bootstrap():
    generator = np.random.default_rng(6)
    maps, masks = generator.random((40, 4, 4)), (generator.random((40, 4, 4)) > 0.5).astype(float)
    looks = measure_looks(maps, masks)
    draws = []
    for _ in range(4000):
        chosen = generator.integers(0, 40, 40)
        draws.append(looks.share[chosen].mean() / looks.area[chosen].mean())
    interval = summarise_looks(looks, resampling=Resampling(num_resamples=4000)).lift
    np.testing.assert_allclose((interval.ci_low, interval.ci_high), np.quantile(draws, (0.025, 0.975)), atol=0.006)
