"""One rule for every number: better or worse after correction, probably without it, else cannot tell."""

import numpy as np
import pytest

from evalharness.comparison.outcomes import Judge, name_outcome
from evalharness.records import Interval

SURE, UNSURE = True, False


@pytest.mark.parametrize(
    ("low", "high", "is_sure", "expected"),
    [
        (0.1, 0.3, SURE, ("better", "worse", "higher")),
        (0.1, 0.3, UNSURE, ("probably better", "probably worse", "probably higher")),
        (-0.3, -0.1, SURE, ("worse", "better", "lower")),
        (-0.3, -0.1, UNSURE, ("probably worse", "probably better", "probably lower")),
        (-0.1, 0.3, UNSURE, ("cannot tell",) * 3),
        (0.0, 0.3, UNSURE, ("cannot tell",) * 3),
        (np.nan, np.nan, UNSURE, ("cannot tell",) * 3),
        (0.0, 0.0, UNSURE, ("no difference",) * 3),
    ],
)
def test_the_outcome_by_hand(low, high, is_sure, expected):
    interval = Interval((low + high) / 2, low, high)
    found = [name_outcome(interval, is_sure=is_sure, higher_is_better=better) for better in (True, False, None)]
    assert tuple(found) == expected


def test_the_more_numbers_are_read_together_the_more_each_takes():
    # 1 in 100 resamples is below zero: outside of a tail of 2.5 %, within one of 0.25 %.
    differences = np.where(np.arange(1000) < 10, -1.0, 1.0)

    def outcome(num_numbers):
        judge = Judge(0.95, num_numbers)
        return judge.resampled_difference(0.2, 1.2, differences, higher_is_better=True).outcome

    assert [outcome(num) for num in (1, 2, 10)] == ["better", "better", "probably better"]
    assert Judge(0.95, 10).corrected_confidence == pytest.approx(0.995)


def test_an_interval_that_is_not_defined_tells_nothing():
    judge = Judge(0.95, 1)
    found = judge.difference(0.1, 0.4, lambda _: Interval(0.3, np.nan, np.nan), higher_is_better=True)
    assert (found.value, found.outcome) == (0.4, "cannot tell")
