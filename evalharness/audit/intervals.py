"""Means over images with their intervals; images for which a number is not defined are left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.records import FloatArray, IntArray, Interval
from evalharness.statistics import percentile_interval, resample_counts, resampling_units, select_groups

MIN_UNITS = 5
"""Images, or groups of images, below which an interval would say nothing: its ends are NaN then."""
UNDEFINED = Interval(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are drawn."""

    num_resamples: int = 2000
    confidence: float = 0.95
    seed: int = 123


DEFAULT_RESAMPLING = Resampling()


def mean_interval(values: FloatArray, groups: Sequence[str] | None, resampling: Resampling) -> Interval:
    """The mean of what is not NaN, with its percentile bootstrap interval; NaN if nothing is left.

    The ends are NaN with fewer than `MIN_UNITS` images or groups.

    Args:
        values: One number per image, shape (images,).
        groups: What is drawn together, per image; without it, every image for itself.
        resampling: How to draw.
    """
    kept = ~np.isnan(values)
    if not kept.any():
        return UNDEFINED
    chosen = select_groups(groups, kept)
    means = resampled_means(values[kept], chosen, resampling)
    units = resampling_units(chosen, len(values[kept]))
    return interval_over(units, float(values[kept].mean()), means, resampling.confidence)


def ratio_interval(
    numerators: FloatArray, denominators: FloatArray, groups: Sequence[str] | None, resampling: Resampling
) -> Interval:
    """The ratio of two means over the same images, with its percentile bootstrap interval; never a mean of ratios.

    The ends are NaN with fewer than `MIN_UNITS` images or groups.

    Args:
        numerators: One number per image, shape (images,); an image that lacks either number is left out.
        denominators: Same shape.
        groups: What is drawn together, per image; without it, every image for itself.
        resampling: How to draw.
    """
    kept = ~np.isnan(numerators) & ~np.isnan(denominators)
    if not kept.any() or denominators[kept].sum() == 0:
        return UNDEFINED
    tops, bottoms = numerators[kept], denominators[kept]
    units = resampling_units(select_groups(groups, kept), len(tops))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    sums = np.concatenate([counts @ np.stack([tops, bottoms], axis=1) for counts in chunks])
    ratios = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] != 0)
    return interval_over(units, float(tops.sum() / bottoms.sum()), ratios, resampling.confidence)


def resampled_means(values: FloatArray, groups: Sequence[str] | None, resampling: Resampling) -> FloatArray:
    """The mean of each resample of values without NaN, (resamples,)."""
    units = resampling_units(groups, len(values))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    return np.concatenate([counts @ values / counts.sum(axis=1) for counts in chunks])


def interval_over(units: IntArray, value: float, resampled: FloatArray, confidence: float) -> Interval:
    """The percentile interval of a number over images; its ends are NaN with fewer than `MIN_UNITS` units.

    Args:
        units: The unit of each image, from 0 without gaps, shape (images,).
        value: The number itself.
        resampled: The number in each resample.
        confidence: Coverage, between 0 and 1.
    """
    if units.max() + 1 < MIN_UNITS:
        return Interval(value, float("nan"), float("nan"))
    return percentile_interval(value, resampled, confidence)
