"""Where the limit of risk lies below which a verdict is believed, with a guarantee.

Limits are tested in a sequence that is fixed beforehand, each at the full level and only while all before it pass
(Learn then Test, Angelopoulos et al. 2021), with the exact binomial bound (Geifman & El-Yaniv 2017, NeurIPS). One trial
is one group: photos of a scene say the same, so a group counts as wrong if any believed verdict in it is.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, betaincinv

from evalharness.audit import BoolArray
from evalharness.records import FloatArray, IntArray

NUM_LEVELS = 40
"""Limits that may be tested: those that believe one, two, ... fortieths of the photos."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The limit of risk, and what it was found on."""

    limit: float | None
    """Verdicts with at most this risk are believed; None: none can be, with this guarantee."""
    num_believed: int
    """Calibration photos below it."""
    num_wrong: int
    """Those of them whose verdict is wrong."""
    num_groups: int
    """Groups that hold a believed photo: the trials."""
    num_wrong_groups: int
    upper_bound: float
    """Of the error among believed verdicts, at the confidence asked for; 1 where there is no limit."""
    num_needed: int
    """Believed groups, or photos where each stands alone, that would do if none were wrong."""


def num_without_error(max_error: float, confidence: float) -> int:
    """Trials without an error from which an error of at most `max_error` follows: (1 - max_error)^n <= 1 - confidence.

    Args:
        max_error: Above 0, below 1.
        confidence: Above 0, below 1.
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-max_error) - 1e-9)


def error_p_value(num_wrong: int, num_trials: int, max_error: float) -> float:
    """How probable as few errors are, if `max_error` of all verdicts were wrong."""
    return float(bdtr(num_wrong, num_trials, max_error))


def error_upper_bound(num_wrong: int, num_trials: int, confidence: float) -> float:
    """The error that is not exceeded with this confidence (Clopper & Pearson 1934), 0 to 1."""
    return 1.0 if num_wrong >= num_trials else float(betaincinv(num_wrong + 1, num_trials - num_wrong, confidence))


def choose_threshold(
    scores: FloatArray, is_wrong: BoolArray, units: IntArray, *, max_error: float, confidence: float
) -> Threshold:
    """The loosest limit that passes.

    One sequence starts where half of the photos are believed; where there are enough photos, a second one starts at
    the strictest limit that can pass at all, and each then has half of 1 - confidence.

    Args:
        scores: Risk of each photo, (N,), from a model that was not fitted on it; inf is never believed.
        is_wrong: (N,).
        units: Group of each photo, numbers, (N,).
        max_error: Part of the believed verdicts that may be wrong.
        confidence: With which that holds.
    """
    wrong, levels = np.asarray(is_wrong, np.bool_), _levels(scores)
    counted = [_count(scores <= level, wrong, units) for level in levels]
    passed = [
        index
        for start, level in _starts([trials for trials, _ in counted], max_error, confidence)
        for index in _walk(counted[start:], start, max_error, level)
    ]
    needed = num_without_error(max_error, confidence)
    if not passed:
        return Threshold(None, 0, 0, 0, 0, 1.0, needed)
    limit = levels[max(passed)]
    is_believed = scores <= limit
    trials, failures = counted[max(passed)]
    return Threshold(
        limit=float(limit),
        num_believed=int(is_believed.sum()),
        num_wrong=int((is_believed & wrong).sum()),
        num_groups=trials,
        num_wrong_groups=failures,
        upper_bound=error_upper_bound(failures, trials, confidence),
        num_needed=needed,
    )


def _levels(scores: FloatArray) -> FloatArray:
    counts = np.ceil(np.arange(1, NUM_LEVELS + 1) * len(scores) / NUM_LEVELS).astype(int)
    levels = np.unique(np.sort(scores)[counts - 1])
    return np.asarray(levels[np.isfinite(levels)])


def _count(is_believed: BoolArray, wrong: BoolArray, units: IntArray) -> tuple[int, int]:
    """Groups with a believed photo, and those of them with a wrong one."""
    return len(np.unique(units[is_believed])), len(np.unique(units[is_believed & wrong]))


def _starts(trials: list[int], max_error: float, confidence: float) -> list[tuple[int, float]]:
    """Where sequences start, and the level of each."""
    level = 1 - confidence
    half = (len(trials) - 1) // 2
    strict = _first(trials, num_without_error(max_error, 1 - level / 2))
    if strict is not None and strict <= half // 2:
        return [(half, level / 2), (strict, level / 2)]
    first = _first(trials, num_without_error(max_error, confidence))
    return [] if first is None else [(max(first, half), level)]


def _first(trials: list[int], needed: int) -> int | None:
    return next((index for index, count in enumerate(trials) if count >= needed), None)


def _walk(counted: list[tuple[int, int]], start: int, max_error: float, level: float) -> list[int]:
    passed = []
    for index, (trials, failures) in enumerate(counted, start=start):
        if error_p_value(failures, trials, max_error) > level:
            break
        passed.append(index)
    return passed
