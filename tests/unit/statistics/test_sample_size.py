"""The number of images, by hand and by simulating the studies that it plans."""

import numpy as np
import pytest
from scipy import stats

from evalharness.statistics import num_images_to_tell


def test_by_hand():
    # (1.959964 x 0.3162278 + 0.8416212 x 0.3155947)² / 0.0004 = 0.783941 / 0.0004
    assert num_images_to_tell(0.1, 0.02) == 1960
    # All disagreements on one side: (1.959964 x 0.2236068 + 0.8416212 x 0.2179449)² / 0.0025
    assert num_images_to_tell(0.05, 0.05) == 155


def test_not_defined():
    assert num_images_to_tell(0.01, 0.02) is None
    assert num_images_to_tell(0.0, 0.02) is None
    assert num_images_to_tell(0.1, 0.0) is None
    assert num_images_to_tell(0.1, -0.02) is None
    assert num_images_to_tell(float("nan"), 0.02) is None


def test_it_takes_more_to_tell_less_and_more_to_be_surer():
    assert num_images_to_tell(0.1, 0.01) > num_images_to_tell(0.1, 0.02)
    assert num_images_to_tell(0.2, 0.02) > num_images_to_tell(0.1, 0.02)
    assert num_images_to_tell(0.1, 0.02, power=0.9) > num_images_to_tell(0.1, 0.02)
    assert num_images_to_tell(0.1, 0.02, alpha=0.01) > num_images_to_tell(0.1, 0.02)


@pytest.mark.parametrize(
    ("discordant_rate", "difference", "power"), [(0.1, 0.02, 0.8), (0.3, 0.05, 0.9), (0.06, 0.03, 0.8)]
)
def test_simulated_studies_of_that_size_find_the_difference_as_often_as_planned(discordant_rate, difference, power):
    num_images = num_images_to_tell(discordant_rate, difference, power=power)
    rates = [(discordant_rate + difference) / 2, (discordant_rate - difference) / 2, 1 - discordant_rate]
    first, second, _ = np.random.default_rng(0).multinomial(num_images, rates, 4000).T
    by_approximation = (first - second) ** 2 / (first + second) > stats.chi2.ppf(0.95, 1)
    # Four standard errors of 4,000 studies are 2.5 %.
    assert by_approximation.mean() == pytest.approx(power, abs=0.025)
    exact = 2 * stats.binom.cdf(np.minimum(first, second), first + second, 0.5) < 0.05
    assert power - 0.08 < exact.mean() < by_approximation.mean()
