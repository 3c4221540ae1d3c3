import math

import numpy as np
import pytest

from evalharness.audit import NOISE_MEASURES, stability

EVEN = np.ones((1, 4, 4))
POINT = np.zeros((1, 4, 4))
POINT[0, 1, 2] = 5


def measure(name, maps):
    return NOISE_MEASURES[name](maps)[0]


def test_entropy():
    assert measure("entropy", EVEN) == pytest.approx(1)
    assert measure("entropy", POINT) == 0
    two = np.array([[[1.0, 1.0], [0.0, 0.0]]])
    assert measure("entropy", two) == pytest.approx(0.5)


def test_gini():
    assert measure("gini", EVEN) == pytest.approx(0)
    assert measure("gini", POINT) == pytest.approx(15 / 16)
    values = np.array([1.0, 2.0, 3.0, 6.0])
    by_pairs = np.abs(values[:, None] - values).mean() / (2 * values.mean())
    assert measure("gini", values.reshape(1, 2, 2)) == pytest.approx(by_pairs)


def test_hot_blobs_are_above_three_times_the_average_and_joined_at_corners():
    heat = np.zeros((1, 6, 6))
    heat[0, 0, 0] = heat[0, 1, 1] = heat[0, 4, 4] = heat[0, 4, 5] = 1
    assert measure("num_hot_blobs", heat) == 2
    assert measure("num_hot_blobs", EVEN) == 0
    # Twelve patches share the map: each has exactly three times the average of 36.
    heat = np.zeros((1, 6, 6))
    heat[0, :2] = 1
    assert measure("num_hot_blobs", heat) == 0


def test_border_share():
    assert measure("border_share", EVEN) == pytest.approx(12 / 16)
    assert measure("border_share", POINT) == 0
    corner = np.zeros((1, 4, 4))
    corner[0, 0, 3], corner[0, 1, 1] = 1, 3
    assert measure("border_share", corner) == pytest.approx(0.25)


@pytest.mark.parametrize("name", NOISE_MEASURES)
def test_unusable_maps_are_nan_and_leave_the_others_alone(name):
    maps = np.concatenate([np.full((1, 4, 4), math.nan), np.zeros((1, 4, 4)), -EVEN, np.full((1, 4, 4), np.inf), POINT])
    values = NOISE_MEASURES[name](maps)
    assert np.isnan(values[:4]).all()
    assert values[4] == measure(name, POINT)


def test_stability_is_a_rank_correlation():
    from scipy.stats import spearmanr

    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, (2, 6, 4, 4)).astype(float)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(stability(first, second), expected)
    np.testing.assert_allclose(stability(first, first * 3), 1)
    assert np.isnan(stability(first[:1], EVEN)).all()
