"""The risk-coverage curve against counting by hand and a naive loop."""

import numpy as np

from evalharness.audit import Resampling
from evalharness.believing import Ranking, aurc, coverage_at_risk, measure_coverage, risk_coverage

SCORES = np.array([0.1, 0.2, 0.2, 0.9])
WRONG = np.array([False, True, False, True])


def test_the_curve_of_four_photos_by_hand_ties_come_together():
    curve = risk_coverage(SCORES, WRONG)
    np.testing.assert_allclose(curve.coverage, [0.25, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 0.5])
    assert aurc(SCORES, WRONG) == 0.5 / 3 + 0.25 * 0.5
    assert coverage_at_risk(SCORES, WRONG, 0.4) == 0.75
    assert coverage_at_risk(SCORES, WRONG, 0.1) == 0.25
    assert coverage_at_risk(-SCORES, WRONG, 0.1) == 0


def test_a_resample_is_the_curve_of_its_photos():
    generator = np.random.default_rng(0)
    scores, wrong = generator.random(30).round(1), generator.random(30) < 0.3
    counts = generator.integers(0, 3, (5, 30)).astype(float)
    ranking = Ranking(scores, wrong)
    for row, coverage, area in zip(counts, *ranking.measure(counts, 0.2), strict=True):
        drawn = np.repeat(np.arange(30), row.astype(int))
        np.testing.assert_allclose(area, aurc(scores[drawn], wrong[drawn]))
        np.testing.assert_allclose(coverage, coverage_at_risk(scores[drawn], wrong[drawn], 0.2))


def test_intervals_hold_the_numbers():
    generator = np.random.default_rng(1)
    wrong = generator.random(300) < 0.1
    scores = wrong + generator.normal(0, 0.5, 300)
    found = measure_coverage(scores, wrong, max_error=0.02, groups=None, resampling=Resampling(500, 0.95, 0))
    for interval in (found.coverage_at_risk, found.aurc):
        assert interval.ci_low < interval.value < interval.ci_high
