"""The bootstrap against draws made row by row, and against SciPy."""

import numpy as np
import pytest
from scipy import stats

from evalharness.statistics import bootstrap, paired_bootstrap, percentile_interval, resample_counts, resampling_units


def all_counts(units, num_resamples=200, seed=123):
    return np.concatenate(list(resample_counts(units, num_resamples=num_resamples, seed=seed)))


def test_counts_are_those_of_drawing_row_after_row():
    drawn = np.random.default_rng(123).integers(0, 30, (200, 30))
    expected = [[list(rows).count(row) for row in range(30)] for rows in drawn]
    np.testing.assert_array_equal(all_counts(np.arange(30)), expected)


def test_a_group_is_drawn_whole():
    units = np.array([2, 0, 1, 1, 2, 0, 0])
    drawn = np.random.default_rng(5).integers(0, 3, (200, 3))
    rows_of = {unit: np.flatnonzero(units == unit) for unit in range(3)}
    expected = np.zeros((200, 7))
    for resample, groups in enumerate(drawn):
        for row in np.concatenate([rows_of[group] for group in groups]):
            expected[resample, row] += 1
    np.testing.assert_array_equal(all_counts(units, seed=5), expected)
    assert len(set(expected.sum(axis=1))) > 1


def test_the_draw_does_not_depend_on_the_size_of_chunks(monkeypatch):
    counts = all_counts(np.arange(50), num_resamples=333)
    for elements, least in ((1, 1), (1, 16), (700, 1), (50 * 100, 1)):
        monkeypatch.setattr(bootstrap, "CHUNK_ELEMENTS", elements)
        monkeypatch.setattr(bootstrap, "MIN_CHUNK", least)
        np.testing.assert_array_equal(all_counts(np.arange(50), num_resamples=333), counts)


def test_the_draw_depends_on_the_seed_and_the_number_of_units_alone():
    single, twice = np.arange(40), np.repeat(np.arange(40), 2)
    np.testing.assert_array_equal(all_counts(twice)[:, ::2], all_counts(single))
    np.testing.assert_array_equal(all_counts(single, num_resamples=70), all_counts(single)[:70])
    assert (all_counts(single, seed=124) != all_counts(single)).any()


def test_chunks_stay_small_for_many_rows():
    chunk = next(resample_counts(np.arange(100_000), num_resamples=2000, seed=1))
    assert chunk.shape == (16, 100_000)
    assert (chunk.sum(axis=1) == 100_000).all()


def test_groups_are_numbered_by_name_whatever_the_order_of_rows():
    groups = ["c", "a", "バラ", "a", "b"]
    np.testing.assert_array_equal(resampling_units(groups, 5), [2, 0, 3, 0, 1])
    np.testing.assert_array_equal(resampling_units(groups[::-1], 5), [1, 0, 3, 0, 2])
    np.testing.assert_array_equal(resampling_units(None, 3), [0, 1, 2])


def test_groups_for_another_number_of_rows_are_refused():
    with pytest.raises(ValueError, match="2 groups for 3 rows"):
        resampling_units(["a", "b"], 3)
    with pytest.raises(ValueError, match="nothing to resample"):
        all_counts(np.array([], int))


def test_percentiles_by_hand():
    interval = percentile_interval(7.0, np.arange(101.0)[::-1], 0.9)
    assert (interval.value, interval.num_undefined) == (7.0, 0)
    assert (interval.ci_low, interval.ci_high) == pytest.approx((5.0, 95.0), abs=1e-12)


def test_undefined_resamples_are_counted_and_left_out():
    interval = percentile_interval(0.5, np.array([np.nan, *np.arange(101.0), np.nan, np.nan]), 0.8)
    assert (interval.ci_low, interval.ci_high) == pytest.approx((10.0, 90.0), abs=1e-12)
    assert interval.num_undefined == 3


def test_no_defined_resample_gives_no_interval():
    interval = percentile_interval(np.nan, np.full(4, np.nan), 0.95)
    assert np.isnan([interval.value, interval.ci_low, interval.ci_high]).all()
    assert interval.num_undefined == 4


def test_paired_interval_is_scipys_up_to_the_draw():
    differences = np.random.default_rng(0).gamma(2, size=80) - 1.5
    ours = paired_bootstrap(differences, num_resamples=20_000, seed=1)
    theirs = stats.bootstrap(
        (differences,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    )
    # The 2.5 % point of 20,000 normal draws has a standard error of 0.019 of their own; two of them, four times over.
    tolerance = 4 * 0.027 * theirs.standard_error
    assert ours.value == pytest.approx(differences.mean(), abs=1e-12)
    assert ours.ci_low == pytest.approx(theirs.confidence_interval.low, abs=tolerance)
    assert ours.ci_high == pytest.approx(theirs.confidence_interval.high, abs=tolerance)


def test_paired_interval_is_that_of_the_difference_of_both_runs_on_the_same_resamples():
    first, second = np.random.default_rng(0).integers(0, 2, (2, 60)).astype(float)
    drawn = np.random.default_rng(123).integers(0, 60, (2000, 60))
    differences = [first[rows].mean() - second[rows].mean() for rows in drawn]
    interval = paired_bootstrap(first - second)
    np.testing.assert_allclose([interval.ci_low, interval.ci_high], np.percentile(differences, [2.5, 97.5]), atol=1e-12)


def test_paired_interval_over_groups_is_that_of_drawing_groups():
    values = np.random.default_rng(0).normal(size=9)
    groups = ["b", "a", "b", "c", "a", "b", "d", "d", "a"]
    members = [[1, 4, 8], [0, 2, 5], [3], [6, 7]]
    drawn = np.random.default_rng(7).integers(0, 4, (500, 4))
    means = [values[np.concatenate([members[group] for group in draw])].mean() for draw in drawn]
    interval = paired_bootstrap(values, groups=groups, num_resamples=500, confidence=0.8, seed=7)
    np.testing.assert_allclose([interval.ci_low, interval.ci_high], np.percentile(means, [10, 90]), atol=1e-12)


def test_groups_widen_the_interval_of_near_duplicates():
    values = np.repeat(np.random.default_rng(0).normal(size=30), 10)
    alone = paired_bootstrap(values)
    grouped = paired_bootstrap(values, groups=[f"burst {row // 10}" for row in range(300)])
    assert grouped.ci_high - grouped.ci_low > 2 * (alone.ci_high - alone.ci_low)


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    intervals = [paired_bootstrap(generator.normal(0.3, size=80), num_resamples=400, seed=i) for i in range(400)]
    covered = sum(interval.ci_low <= 0.3 <= interval.ci_high for interval in intervals)
    assert 0.91 <= covered / 400 <= 0.98


def test_differences_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        paired_bootstrap(np.array([0.1, np.nan]))
