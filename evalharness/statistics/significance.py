"""Tests of paired differences, and the correction for making many of them."""

from collections.abc import Iterator, Sequence

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.records import FloatArray

stats = LazyModule("scipy.stats")

CHUNK_ELEMENTS = 2**19
"""Signs held at once."""
ROUNDING = 1e-12
"""Sums that differ by less than this part of all magnitudes count as equal, whatever the order of the addition."""


def mcnemar_exact(num_only_first_correct: int, num_only_second_correct: int) -> float:
    """The two-sided exact McNemar test: are the rows that only one of two runs got right split evenly?

    Args:
        num_only_first_correct: Rows that the first run got right and the second wrong.
        num_only_second_correct: The reverse.

    Returns:
        The p-value; 1 if the runs disagree on no row.
    """
    num_discordant = num_only_first_correct + num_only_second_correct
    if num_discordant == 0:
        return 1.0
    return float(stats.binomtest(num_only_first_correct, num_discordant, 0.5).pvalue)


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """Holm's step-down adjustment (Holm 1979): tests below a level after it keep that family-wise error rate.

    Args:
        p_values: Of all tests made, 0 to 1.

    Returns:
        Adjusted p-values in the same order: the smallest times m, the next times m - 1, and so on, each at least as
        large as the one before it, and at most 1.
    """
    values = np.asarray(p_values, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def sign_flip_p_value(differences: FloatArray, *, num_permutations: int = 10_000, seed: int) -> float:
    """One-sided sign-flip test: if each difference were as likely negative, how often is the mean this high?

    All 2^n sign patterns are tried if there are at most `num_permutations` of them; else that many are drawn, and the
    observed one counts as one more (Phipson & Smyth 2010). Differences of zero have no sign and do not matter.

    Args:
        differences: One number per independent unit, finite, shape (n,).
        num_permutations: The most sign patterns to try.
        seed: Of the random generator.

    Returns:
        The p-value against a mean above zero; 1 if no difference has a sign.
    """
    values = np.asarray(differences, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("differences must be finite")
    values = values[values != 0]
    num_patterns, num_observed = 1 << len(values), 0
    if num_patterns <= num_permutations:
        patterns = _all_patterns(len(values))
    else:
        patterns = _random_patterns(len(values), num_permutations, np.random.default_rng(seed))
        num_patterns, num_observed = num_permutations + 1, 1
    # Flipping a set of signs leaves the mean as high exactly if the differences of that set do not sum to above zero.
    highest = ROUNDING * float(np.abs(values).sum())
    num_as_high = num_observed + sum(int(np.count_nonzero(flipped @ values <= highest)) for flipped in patterns)
    return num_as_high / num_patterns


def _all_patterns(num_values: int) -> Iterator[FloatArray]:
    """Every subset of the values once, as rows of zeros and ones."""
    numbers = np.arange(2**num_values)
    yield (numbers[:, None] >> np.arange(num_values) & 1).astype(np.float64)


def _random_patterns(num_values: int, num_patterns: int, generator: np.random.Generator) -> Iterator[FloatArray]:
    """Random subsets of the values, a chunk at a time."""
    chunk = max(1, CHUNK_ELEMENTS // num_values)
    for start in range(0, num_patterns, chunk):
        size = min(chunk, num_patterns - start)
        yield generator.integers(0, 2, (size, num_values)).astype(np.float64)
