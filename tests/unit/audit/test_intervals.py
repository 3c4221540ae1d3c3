"""Means and ratios over images against resamples of groups drawn row by row."""

import numpy as np
import pytest
from group_draws import drawn_rows, ends, middle, numbers

from evalharness.audit import Resampling
from evalharness.audit.intervals import mean_interval, ratio_interval, resampled_means

NAN = float("nan")
RESAMPLING = Resampling(num_resamples=400, confidence=0.8, seed=11)
VALUES = np.array([0.3, NAN, 2.5, -1.0, 0.7, NAN, 4.0, 0.1, 1.9, NAN, -2.2, 0.6, 3.1, 0.4, -0.8, NAN, 1.2, 0.9, 5.0])
SIZES = np.array([1, 2, NAN, 0.5, 1.5, NAN, 0.3, 2.5, 0.7, 1, 1.1, 0.9, 0.6, 1.3, NAN, 0.4, 2.2, 0.8, 1.9])
# `gone` has no value at all, and leaves the draw.
GROUPS = ["c", "gone", "a", "b", "a", "gone", "d", "b", "b", "a", "c", "b", "f", "e", "h", "gone", "e", "g", "h"]


def without_copies(seed=0, num_rows=25):
    generator = np.random.default_rng(seed)
    values, sizes = generator.gamma(2, size=num_rows), generator.uniform(0.2, 2, num_rows)
    values[[3, 4, 17]] = NAN
    sizes[[4, 9, 24]] = NAN
    return values, sizes


def copied(values, times=4):
    """Copies of a row stand far apart from each other."""
    return np.tile(values, times)


def names_of_copies(num_rows=25, times=4):
    return [f"photo {row:02}" for row in range(num_rows)] * times


def defined(*arrays):
    rows = [row for row in range(len(GROUPS)) if not any(np.isnan(each[row]) for each in arrays)]
    return [each[rows] for each in arrays], [GROUPS[row] for row in rows]


def test_a_mean_is_drawn_by_groups():
    (values,), groups = defined(VALUES)
    assert sorted(set(groups)) == ["a", "b", "c", "d", "e", "f", "g", "h"]
    interval = mean_interval(VALUES, GROUPS, RESAMPLING)
    assert interval.value == pytest.approx(sum(values) / len(values))
    means = [values[rows].mean() for rows in drawn_rows(groups, RESAMPLING)]
    assert ends(interval) == pytest.approx(middle(means, RESAMPLING), abs=1e-12)


def test_a_ratio_is_drawn_by_groups():
    (values, sizes), groups = defined(VALUES, SIZES)
    interval = ratio_interval(VALUES, SIZES, GROUPS, RESAMPLING)
    assert interval.value == pytest.approx(sum(values) / sum(sizes))
    ratios = [values[rows].sum() / sizes[rows].sum() for rows in drawn_rows(groups, RESAMPLING)]
    assert ends(interval) == pytest.approx(middle(ratios, RESAMPLING), abs=1e-12)


def test_every_resampled_mean_is_drawn_by_groups():
    (values,), groups = defined(VALUES)
    means = [values[rows].mean() for rows in drawn_rows(groups, RESAMPLING)]
    np.testing.assert_allclose(resampled_means(values, groups, RESAMPLING), means, atol=1e-12)


def test_copies_in_one_group_leave_the_interval_of_a_mean():
    values, _ = without_copies()
    grouped = mean_interval(copied(values), names_of_copies(), RESAMPLING)
    assert numbers(grouped) == pytest.approx(numbers(mean_interval(values, None, RESAMPLING)), abs=1e-12)
    alone = mean_interval(copied(values), None, RESAMPLING)
    # Four times as many images that are taken as independent halve the interval.
    assert (grouped.ci_high - grouped.ci_low) / (alone.ci_high - alone.ci_low) == pytest.approx(2, abs=0.4)


def test_copies_in_one_group_leave_the_interval_of_a_ratio():
    values, sizes = without_copies()
    grouped = ratio_interval(copied(values), copied(sizes), names_of_copies(), RESAMPLING)
    assert numbers(grouped) == pytest.approx(numbers(ratio_interval(values, sizes, None, RESAMPLING)), abs=1e-12)
    alone = ratio_interval(copied(values), copied(sizes), None, RESAMPLING)
    assert (grouped.ci_high - grouped.ci_low) / (alone.ci_high - alone.ci_low) == pytest.approx(2, abs=0.4)


def test_copies_in_one_group_leave_every_resampled_mean():
    values, _ = without_copies()
    values = values[~np.isnan(values)]
    names = [f"photo {row:02}" for row in range(len(values))] * 3
    np.testing.assert_allclose(
        resampled_means(copied(values, 3), names, RESAMPLING), resampled_means(values, None, RESAMPLING), atol=1e-12
    )


def test_groups_that_are_all_alike_have_no_spread():
    """Each holds a 1, a 3 and an 8: whatever groups are drawn, the mean is 4."""
    values = np.tile([1.0, NAN, 3.0, 8.0], 10)
    groups = [f"scene {row // 4}" for row in range(40)]
    assert numbers(mean_interval(values, groups, RESAMPLING)) == pytest.approx((4, 4, 4))
    sizes = np.tile([2.0, 1.0, 2.0, NAN], 10)
    assert numbers(ratio_interval(values, sizes, groups, RESAMPLING)) == pytest.approx((1, 1, 1))
    defined_groups = [group for group, value in zip(groups, values, strict=True) if not np.isnan(value)]
    np.testing.assert_allclose(resampled_means(values[~np.isnan(values)], defined_groups, RESAMPLING), 4)


def test_a_ratio_leaves_out_resamples_of_groups_without_a_size():
    tops, bottoms = np.zeros(14), np.zeros(14)
    tops[:2], bottoms[:2] = [1, 3], [2, 6]
    groups = [f"scene {row // 2}" for row in range(14)]
    interval = ratio_interval(tops, bottoms, groups, RESAMPLING)
    assert numbers(interval) == (0.5, 0.5, 0.5)
    without_size = [rows for rows in drawn_rows(groups, RESAMPLING) if 0 not in rows]
    # About (6 / 7) ** 7 of them: 34 %.
    assert interval.num_undefined == len(without_size) > 100
