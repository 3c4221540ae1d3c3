"""Tests and corrections against SciPy and against values worked by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from evalharness.statistics import holm, mcnemar_exact, sign_flip_p_value, significance


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 5, 2 / 32), (5, 0, 2 / 32), (1, 6, 2 * (1 + 7) / 128), (1, 0, 1.0)],
)
def test_mcnemar_by_hand(first, second, p_value):
    assert mcnemar_exact(first, second) == pytest.approx(p_value, abs=1e-12)


def test_mcnemar_is_twice_the_binomial_tail():
    for first, second in itertools.product(range(12), range(12)):
        tail = sum(math.comb(first + second, k) for k in range(min(first, second) + 1)) / 2 ** (first + second)
        assert mcnemar_exact(first, second) == pytest.approx(min(1, 2 * tail), abs=1e-12)


def test_holm_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not fall below the one before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], atol=1e-15)


def test_holm_is_capped_and_keeps_ties():
    np.testing.assert_array_equal(holm([0.5, 0.6, 0.5]), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(holm([0.02, 0.02]), [0.04, 0.04])
    np.testing.assert_array_equal(holm([0.03]), [0.03])
    assert len(holm([])) == 0


@pytest.mark.parametrize("p_values", [[0.1, np.nan], [-0.1], [1.1]])
def test_holm_refuses_what_is_not_a_probability(p_values):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm(p_values)


def test_holm_keeps_the_family_wise_error_rate():
    generator = np.random.default_rng(0)
    rejected = sum(bool((holm(generator.uniform(size=10)) <= 0.05).any()) for _ in range(4000))
    # Under the null the rate is 1 - 0.995^10 = 4.9 %; four standard errors of 4,000 repeats are 1.4 %.
    assert rejected / 4000 == pytest.approx(0.049, abs=0.014)


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [
        ([1, 2, 3], 1 / 8),
        ([1, -1], 3 / 4),
        ([-1, -2], 1.0),
        ([2, 3, -1], 2 / 8),
        ([0.0, 1, 2, 0.0, 3], 1 / 8),
        ([0.0, 0.0], 1.0),
        ([], 1.0),
    ],
)
def test_sign_flip_by_hand(differences, p_value):
    assert sign_flip_p_value(np.array(differences, float), seed=1) == p_value


@pytest.mark.parametrize("num_values", [4, 9, 13])
def test_sign_flip_enumerates_what_scipy_enumerates(num_values):
    values = np.random.default_rng(num_values).normal(0.2, size=num_values)
    exact = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", alternative="greater", n_resamples=np.inf
    )
    assert sign_flip_p_value(values, seed=1) == pytest.approx(exact.pvalue, abs=1e-12)


@pytest.mark.parametrize("num_positive", range(14))
def test_sign_flip_of_equal_magnitudes_is_the_sign_test(num_positive):
    """Tenths do not add up exactly: sums that are equal must count as equal all the same."""
    values = np.where(np.arange(13) < num_positive, 0.1, -0.1)
    expected = stats.binomtest(min(num_positive, 13), 13, alternative="greater").pvalue
    assert sign_flip_p_value(values, seed=1) == pytest.approx(expected, abs=1e-12)


def test_sign_flip_by_drawing_agrees_with_enumeration():
    values = np.random.default_rng(3).normal(0.4, size=13)
    exact = sign_flip_p_value(values, num_permutations=8192, seed=1)
    drawn = sign_flip_p_value(values, num_permutations=8191, seed=1)
    assert 0.01 < exact < 0.5
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 8191))
    assert drawn == sign_flip_p_value(values, num_permutations=8191, seed=1)
    assert drawn != sign_flip_p_value(values, num_permutations=8191, seed=2)


def test_sign_flip_by_drawing_counts_the_observed_pattern():
    assert sign_flip_p_value(np.ones(60), num_permutations=999, seed=1) == 1 / 1000
    assert sign_flip_p_value(-np.ones(60), num_permutations=999, seed=1) == 1.0


def test_sign_flip_does_not_depend_on_the_size_of_chunks(monkeypatch):
    values = np.random.default_rng(3).normal(0.2, size=50)
    p_value = sign_flip_p_value(values, seed=1)
    monkeypatch.setattr(significance, "CHUNK_ELEMENTS", 1000)
    assert sign_flip_p_value(values, seed=1) == p_value


def test_sign_flip_rejects_no_more_often_than_it_says():
    generator = np.random.default_rng(0)
    p_values = [sign_flip_p_value(generator.normal(size=25), num_permutations=500, seed=i) for i in range(1000)]
    # Four standard errors of a rate of 5 % over 1,000 repeats are 2.8 %.
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.028)


def test_sign_flip_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="finite"):
        sign_flip_p_value(np.array([0.1, np.nan]), seed=1)
