"""The percentile bootstrap over rows or over groups of rows (Efron & Tibshirani 1993, chapters 13 and 8.6).

A resample is stored as how often it holds each row. Sums over a resample are then products of matrices, and nothing is
ever gathered row by row.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evalharness.records import FloatArray, IntArray, Interval

BoolArray = npt.NDArray[np.bool_]
CHUNK_ELEMENTS = 2**19
"""Counts held at once, 4 MB: about a processor's cache."""
MIN_CHUNK = 16
"""Resamples held at once however many rows there are, or the work that is done once a chunk would outweigh them."""


def resampling_units(groups: Sequence[str] | None, num_rows: int) -> IntArray:
    """Numbers the units that are drawn together.

    Groups are numbered by sorted name, so that equal groups are drawn alike whatever the order of the rows.

    Args:
        groups: The group of each row, or None if every row is a unit of its own.
        num_rows: Number of rows.

    Returns:
        The unit of each row, from 0 without gaps, shape (num_rows,).
    """
    if groups is None:
        return np.arange(num_rows)
    if len(groups) != num_rows:
        raise ValueError(f"{len(groups)} groups for {num_rows} rows")
    numbers = {name: number for number, name in enumerate(sorted(set(groups)))}
    return np.array([numbers[name] for name in groups], np.int64)


def select_groups(groups: Sequence[str] | None, kept: BoolArray) -> list[str] | None:
    """The groups of the rows that are kept, (rows,); None if every row is a unit of its own."""
    return None if groups is None else [group for group, is_kept in zip(groups, kept, strict=True) if is_kept]


def resample_counts(units: IntArray, *, num_resamples: int, seed: int) -> Iterator[FloatArray]:
    """Draws as many units as there are, with replacement, again and again.

    The draw depends on the seed and the number of units alone: runs with the same units get the same resamples, and
    fewer resamples are the first ones of more.

    Args:
        units: The unit of each row, from 0 without gaps, shape (N,).
        num_resamples: How many resamples to draw in all.
        seed: Of the random generator.

    Yields:
        How often each resample holds each row, shape (resamples of this chunk, N), whole numbers as float64.
    """
    if len(units) == 0:
        raise ValueError("nothing to resample")
    num_units = int(units.max()) + 1
    generator = np.random.default_rng(seed)
    chunk = max(MIN_CHUNK, CHUNK_ELEMENTS // len(units))
    for start in range(0, num_resamples, chunk):
        size = min(chunk, num_resamples - start)
        drawn = generator.integers(0, num_units, (size, num_units))
        places = drawn + np.arange(0, size * num_units, num_units)[:, None]
        counts = np.bincount(places.ravel(), minlength=size * num_units).reshape(size, num_units)
        yield counts[:, units].astype(np.float64)


def percentile_interval(value: float, resampled: FloatArray, confidence: float) -> Interval:
    """The interval that holds the middle of the resampled values.

    Args:
        value: The number itself.
        resampled: The number in each resample, NaN where it is not defined: those are counted and left out.
        confidence: Coverage, between 0 and 1.

    Returns:
        The interval; its ends are NaN if no resample is defined.
    """
    defined = resampled[~np.isnan(resampled)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, (tail, 1 - tail)) if len(defined) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high), num_undefined=len(resampled) - len(defined))


def paired_bootstrap(
    differences: FloatArray,
    *,
    groups: Sequence[str] | None = None,
    num_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 123,
) -> Interval:
    """The mean difference between two runs on the same rows, with its interval from the resamples of both.

    Args:
        differences: One run's value minus the other's for each row, finite, shape (N,).
        groups: The group of each row; rows of a group are drawn together.
        num_resamples: How many resamples to draw.
        confidence: Coverage, between 0 and 1.
        seed: Of the random generator; the one of the runs' own intervals draws the same resamples.
    """
    values = np.asarray(differences, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("differences must be finite")
    units = resampling_units(groups, len(values))
    chunks = resample_counts(units, num_resamples=num_resamples, seed=seed)
    resampled = np.concatenate([counts @ values / counts.sum(axis=1) for counts in chunks])
    return percentile_interval(float(values.mean()), resampled, confidence)
