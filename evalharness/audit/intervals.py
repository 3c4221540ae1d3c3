"""Means over images with their intervals; images for which a number is not defined are left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalharness.records import FloatArray, Interval
from evalharness.statistics import paired_bootstrap, percentile_interval, resample_counts, resampling_units

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
    chosen = _select(groups, kept)
    if _num_units(chosen, int(kept.sum())) < MIN_UNITS:
        return Interval(float(values[kept].mean()), float("nan"), float("nan"))
    return paired_bootstrap(
        values[kept],
        groups=chosen,
        num_resamples=resampling.num_resamples,
        confidence=resampling.confidence,
        seed=resampling.seed,
    )


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
    chosen = _select(groups, kept)
    if _num_units(chosen, len(tops)) < MIN_UNITS:
        return Interval(float(tops.sum() / bottoms.sum()), float("nan"), float("nan"))
    units = resampling_units(chosen, len(tops))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    sums = np.concatenate([counts @ np.stack([tops, bottoms], axis=1) for counts in chunks])
    ratios = np.divide(sums[:, 0], sums[:, 1], out=np.full(len(sums), np.nan), where=sums[:, 1] != 0)
    return percentile_interval(float(tops.sum() / bottoms.sum()), ratios, resampling.confidence)


def resampled_means(values: FloatArray, groups: Sequence[str] | None, resampling: Resampling) -> FloatArray:
    """The mean of each resample of values without NaN, (resamples,)."""
    units = resampling_units(groups, len(values))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    return np.concatenate([counts @ values / counts.sum(axis=1) for counts in chunks])


def _num_units(groups: Sequence[str] | None, num_images: int) -> int:
    return num_images if groups is None else len(set(groups))


def _select(groups: Sequence[str] | None, kept: npt.NDArray[np.bool_]) -> list[str] | None:
    return None if groups is None else [group for group, is_kept in zip(groups, kept, strict=True) if is_kept]
