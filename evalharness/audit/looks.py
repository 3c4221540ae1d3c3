"""How much of a map lies on a region: `looks at`, per image, map and category."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalharness.audit.geometry import HALF, BoolArray, grid_mask
from evalharness.audit.intervals import DEFAULT_RESAMPLING, Resampling, mean_interval, ratio_interval
from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, Interval

stats = LazyModule("scipy.stats")

ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Looks:
    """Where the maps of one method look, for one category; every field but the counts has shape (images,).

    All measures but `area` are NaN where the region has area 0 or 1, and where the map is NaN.
    """

    share: FloatArray
    """Part of the map that lies on the region, of what lies on nothing that is left out, 0 to 1."""
    area: FloatArray
    """Part of the photo that the region covers, 0 to 1; NaN where all of it is ignored."""
    lift: FloatArray
    """share / area: 1 is no more than its size earns."""
    pointing: FloatArray
    """Whether the hottest patch is inside, 0 or 1; equally hot patches share. Also NaN if every patch is inside."""
    rank_accuracy: FloatArray
    """Of as many hottest patches as the region has, the part inside; patches that tie for the last places count as
    expected when drawn at random. Also NaN if every patch is inside."""
    auc: FloatArray
    """Probability that a patch inside is hotter than one outside (ties half). Also NaN if every patch is inside."""
    num_empty: int
    """Images whose region covers nothing that is not ignored."""
    num_full: int
    """Images whose region covers everything that is not ignored."""
    num_without_map: int
    """Images whose map is not finite, or zero wherever it is not ignored; may be among the others too."""

    @property
    def num_undefined(self) -> int:
        """Images left out of every mean."""
        return int(np.isnan(self.share).sum())


@dataclass(frozen=True, slots=True)
class LooksSummary:
    """Looks over images, with intervals; each over the images for which it is defined."""

    num_images: int
    num_undefined: int
    share: Interval
    area: Interval
    lift: Interval
    """Mean share / mean area: a mean of ratios would be ruled by the smallest regions."""
    pointing: Interval
    rank_accuracy: Interval
    auc: Interval


def measure_share(maps: FloatArray, coverage: FloatArray, ignored: FloatArray) -> FloatArray:
    """The share alone, of `measure_looks`, (images,); NaN where it is not defined."""
    return _weigh(maps, coverage, ignored)[3]


def _weigh(
    maps: FloatArray, coverage: FloatArray, ignored: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, BoolArray]:
    """Heat and counted part of each patch, (images, patches); area, share, and whether there is a map, (images,)."""
    shape = (len(maps), int(np.prod(maps.shape[1:])))
    heat, inside = (np.asarray(values, np.float64).reshape(shape) for values in (maps, coverage))
    counted = 1 - np.asarray(ignored, np.float64).reshape(shape)
    area = _divide(inside.sum(axis=1), counted.sum(axis=1))
    is_finite = np.isfinite(heat).all(axis=1)
    heat = np.where(is_finite[:, None], heat, 0)
    total = (counted * heat).sum(axis=1)
    has_map = is_finite & (total > 0)
    is_defined = has_map & (area > ROUNDING) & ~(area > 1 - ROUNDING)
    share = np.where(is_defined, _divide((inside * heat).sum(axis=1), total), np.nan)
    return heat, counted, area, share, has_map


def measure_looks(maps: FloatArray, coverage: FloatArray, ignored: FloatArray | None = None) -> Looks:
    """Measures maps against a region.

    Shares and areas weigh each patch by its covered part; the measures that rank patches take the patches of
    `grid_mask`. What is ignored leaves every numerator and denominator: by its part of a patch in the former, and as
    whole patches, if ignored by half or more, in the latter. Padding is to be ignored too: it is no part of the photo.

    Args:
        maps: Non-negative, on any scale, (images, grid rows, grid columns).
        coverage: Covered part of each patch, same shape, precedence resolved.
        ignored: Left out part of each patch, of `ImageRegions.left_out`, same shape; without it, none.
    """
    if ignored is None:
        ignored = np.zeros(maps.shape)
    heat, counted, area, share, has_map = _weigh(maps, coverage, ignored)
    is_empty, is_full = ~(area > ROUNDING), area > 1 - ROUNDING
    is_defined = has_map & ~is_empty & ~is_full
    mask = grid_mask(coverage, ignored).reshape(heat.shape)
    is_ranked = counted > HALF
    can_rank = is_defined & mask.any(axis=1) & (mask != is_ranked).any(axis=1)
    ranked = {
        "pointing": _point(heat, mask, is_ranked),
        "rank_accuracy": _rank_accuracy(heat, mask, is_ranked),
        "auc": area_under_curve(heat, mask, is_ranked),
    }
    return Looks(
        share=share,
        area=area,
        lift=_divide(share, area),
        num_empty=int(is_empty.sum()),
        num_full=int(is_full.sum()),
        num_without_map=int((~has_map).sum()),
        **{name: np.where(can_rank, values, np.nan) for name, values in ranked.items()},
    )


def summarise_looks(
    looks: Looks, *, groups: Sequence[str] | None = None, resampling: Resampling = DEFAULT_RESAMPLING
) -> LooksSummary:
    """Means over images with percentile bootstrap intervals.

    Args:
        looks: Of one map and category.
        groups: What is drawn together, per image; without it, every image for itself.
        resampling: How to draw.
    """
    area = np.where(np.isnan(looks.share), np.nan, looks.area)
    return LooksSummary(
        num_images=len(looks.share),
        num_undefined=looks.num_undefined,
        share=mean_interval(looks.share, groups, resampling),
        area=mean_interval(area, groups, resampling),
        lift=ratio_interval(looks.share, area, groups, resampling),
        pointing=mean_interval(looks.pointing, groups, resampling),
        rank_accuracy=mean_interval(looks.rank_accuracy, groups, resampling),
        auc=mean_interval(looks.auc, groups, resampling),
    )


def area_under_curve(scores: FloatArray, is_positive: BoolArray, is_counted: BoolArray | None = None) -> FloatArray:
    """ROC-AUC of each row of scores: the probability that a positive outranks a negative, ties counting half.

    Args:
        scores: (rows, n), finite.
        is_positive: Which are positives, same shape.
        is_counted: Which take part, same shape; without it, all.

    Returns:
        (rows,), 0 to 1; NaN for a row without a positive or without a negative.
    """
    counted = np.ones(scores.shape, np.bool_) if is_counted is None else is_counted
    positive = is_positive & counted
    # Scores that are left out go below all others, so that they shift every rank by the same.
    ranks = stats.rankdata(np.where(counted, scores, -np.inf), axis=1) - (~counted).sum(axis=1, keepdims=True)
    num_positive = positive.sum(axis=1)
    num_negative = counted.sum(axis=1) - num_positive
    wins = (ranks * positive).sum(axis=1) - num_positive * (num_positive + 1) / 2
    return _divide(wins, num_positive * num_negative)


def _point(heat: FloatArray, mask: BoolArray, is_ranked: BoolArray) -> FloatArray:
    heights = np.where(is_ranked, heat, -np.inf)
    is_hottest = is_ranked & (heights == heights.max(axis=1, keepdims=True))
    return _divide((is_hottest & mask).sum(axis=1), is_hottest.sum(axis=1))


def _rank_accuracy(heat: FloatArray, mask: BoolArray, is_ranked: BoolArray) -> FloatArray:
    heights = np.where(is_ranked, heat, -np.inf)
    sizes = mask.sum(axis=1)
    ordered = -np.sort(-heights, axis=1)
    last = np.take_along_axis(ordered, np.maximum(sizes - 1, 0)[:, None], axis=1)
    is_above, ties = heights > last, is_ranked & (heights == last)
    places_left = sizes - is_above.sum(axis=1)
    found = (is_above & mask).sum(axis=1) + places_left * _divide((ties & mask).sum(axis=1), ties.sum(axis=1))
    return _divide(found, sizes)


def _divide(numerator: npt.NDArray[np.generic], denominator: npt.NDArray[np.generic]) -> FloatArray:
    """The quotient, NaN where the denominator is zero."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom != 0)
