"""Better, worse, probably, or cannot tell: one rule for the verdict of a comparison and every number in its tables."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evalharness.records import FloatArray, Interval
from evalharness.statistics import percentile_interval

Outcome = Literal[
    "better", "probably better", "worse", "probably worse", "higher", "probably higher", "lower", "probably lower",
    "cannot tell", "no difference",
]  # fmt: skip
"""`higher` and `lower` are said of numbers of which neither is better."""
RULE = (
    "One rule for the verdict and for every row. Better or worse: the interval of the difference still excludes zero "
    "after correction for all numbers of its table and all compared runs (Bonferroni); for accuracy, which the verdict "
    "is of, the interval excludes zero and so says McNemar's exact test, after Holm's correction over the runs. "
    "Probably: the uncorrected interval excludes zero, and the corrected test or interval does not. Cannot tell: the "
    "interval holds zero."
)


UNTOLD: tuple[Outcome, ...] = ("cannot tell", "no difference")
"""Outcomes that say nothing of a direction."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of a run beside that of the reference."""

    reference: float
    value: float
    difference: Interval
    """Value minus reference, with the interval from the same resamples of both; not corrected."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Judge:
    """How the numbers of one table are judged."""

    confidence: float
    """Of their intervals, between 0 and 1."""
    num_numbers: int
    """That are read together: those of the table, in all compared runs."""

    @property
    def corrected_confidence(self) -> float:
        """Of each interval, so that all hold together with `confidence` (Bonferroni)."""
        return 1 - (1 - self.confidence) / max(1, self.num_numbers)

    def difference(
        self,
        reference: float,
        value: float,
        interval_at: Callable[[float], Interval],
        *,
        higher_is_better: bool | None,
    ) -> Difference:
        """One number with its outcome.

        Args:
            reference: Of the reference.
            value: Of the run.
            interval_at: Gives the interval of the difference at a confidence.
            higher_is_better: None: neither is.
        """
        interval = interval_at(self.confidence)
        is_sure = excludes_zero(interval) and excludes_zero(interval_at(self.corrected_confidence))
        outcome = name_outcome(interval, is_sure=is_sure, higher_is_better=higher_is_better)
        return Difference(float(reference), float(value), interval, outcome)

    def resampled_difference(
        self,
        reference: float,
        value: float,
        differences: FloatArray,
        *,
        higher_is_better: bool | None,
    ) -> Difference:
        """The same from the difference in each resample, shape (resamples,)."""

        def interval_at(confidence: float) -> Interval:
            return percentile_interval(value - reference, differences, confidence)

        return self.difference(reference, value, interval_at, higher_is_better=higher_is_better)


def name_outcome(interval: Interval, *, is_sure: bool, higher_is_better: bool | None) -> Outcome:
    """What is said of one difference.

    Args:
        interval: Of the difference, not corrected.
        is_sure: Whether it stands after correction.
        higher_is_better: None: neither is.
    """
    if interval.value == interval.ci_low == interval.ci_high == 0:
        return "no difference"
    if not excludes_zero(interval):
        return "cannot tell"
    is_higher = interval.ci_low > 0
    if higher_is_better is None:
        if is_higher:
            return "higher" if is_sure else "probably higher"
        return "lower" if is_sure else "probably lower"
    if is_higher == higher_is_better:
        return "better" if is_sure else "probably better"
    return "worse" if is_sure else "probably worse"


def excludes_zero(interval: Interval) -> bool:
    """Whether zero lies outside; False where the interval is not defined."""
    return bool(np.isfinite(interval.ci_low)) and (interval.ci_low > 0 or interval.ci_high < 0)
