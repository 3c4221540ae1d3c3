"""Signs that are drawn, against the binomial tail that they must reach."""

import math

import numpy as np
import pytest
from scipy import stats

from evalharness.statistics import sign_flip_p_value

NUM_PATTERNS = 1_000_000


def exact(num_positive, num_negative, chance=0.5):
    """How often the sum of equal magnitudes is as high as the observed one, if each flips with some probability.

    It is as high if no more positive ones flip than negative ones.
    """
    flipped_positive = stats.binom.pmf(range(num_positive + 1), num_positive, chance)
    return sum(part * stats.binom.sf(number - 1, num_negative, chance) for number, part in enumerate(flipped_positive))


def test_the_tail_by_hand():
    # Of the 8 patterns of 2 ones and a minus one: none flipped, the last flipped, the last and one of the others.
    assert exact(2, 1) == pytest.approx(4 / 8)
    assert exact(3, 0) == pytest.approx(1 / 8)


@pytest.mark.parametrize(("num_positive", "num_negative"), [(14, 7), (7, 14), (20, 10), (10, 20), (250, 200)])
def test_signs_are_drawn_evenly(num_positive, num_negative):
    num_patterns = NUM_PATTERNS if num_positive + num_negative < 50 else NUM_PATTERNS // 10
    values = np.repeat([0.1, -0.1], [num_positive, num_negative])
    expected = exact(num_positive, num_negative)
    # The observed pattern counts as one more.
    expected += (1 - expected) / (num_patterns + 1)
    tolerance = 4 * math.sqrt(expected * (1 - expected) / num_patterns)
    found = sign_flip_p_value(values, num_permutations=num_patterns, seed=1)
    assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("chance", [0.49, 0.51])
@pytest.mark.parametrize(("num_positive", "num_negative"), [(14, 7), (7, 14), (20, 10), (10, 20)])
def test_a_hundredth_more_or_less_would_be_seen(num_positive, num_negative, chance):
    expected = exact(num_positive, num_negative)
    standard_error = math.sqrt(expected * (1 - expected) / NUM_PATTERNS)
    assert abs(exact(num_positive, num_negative, chance) - expected) > 10 * standard_error
