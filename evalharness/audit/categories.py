"""One category on one map: where it looks, whether it is used, and both as rates over the images of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit.geometry import Role
from evalharness.audit.intervals import DEFAULT_RESAMPLING, Resampling, mean_interval
from evalharness.audit.looks import Looks, LooksSummary, measure_looks, summarise_looks
from evalharness.audit.uses import (
    DEFAULT_YARDSTICK,
    Effects,
    Judgement,
    Rate,
    Yardstick,
    judge,
    measure_quadrants,
    measure_rate,
)
from evalharness.records import FloatArray, Interval


@dataclass(frozen=True, slots=True)
class CategoryRegions:
    """The regions of one category on the patch grid; n images, K controls."""

    category: str
    role: Role
    coverage: FloatArray
    """Covered part of each patch, (n, grid rows, grid columns)."""
    ignored: FloatArray
    """Part of each patch that is ignored or padding, same shape."""
    control_coverage: FloatArray
    """(n, K, grid rows, grid columns); NaN where there is no such control."""


@dataclass(frozen=True, slots=True)
class CategoryAudit:
    """The row of the audit's table: one category on one map."""

    map_id: str
    category: str
    role: Role
    num_images: int
    looks: LooksSummary
    quadrants: Mapping[str, Rate]
    """By name in `QUADRANTS`."""
    uses: Rate
    control_uses_rate: float
    """Part of the controls that count as used: what `uses` is where nothing is used."""
    flips: Rate
    """Verdicts that change when the region is erased; not compared with the controls."""
    delta_prob: Interval
    """What erasing takes from the verdict's probability."""
    uses_threshold: float
    looks_threshold: float
    num_without_control: int


@dataclass(frozen=True, slots=True)
class CategoryScores:
    """The same per image, (n,) each."""

    looks: Looks
    judgement: Judgement


def audit_category(
    map_id: str,
    maps: FloatArray,
    regions: CategoryRegions,
    effects: Effects,
    *,
    groups: Sequence[str] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
    yardstick: Yardstick = DEFAULT_YARDSTICK,
) -> tuple[CategoryAudit, CategoryScores]:
    """Scores every image that holds the category, and sums up.

    Args:
        map_id: Of the maps.
        maps: Of the images that hold the category, (n, grid rows, grid columns).
        regions: Of the same images.
        effects: Of erasing the category from them.
        groups: What the bootstrap draws together, per image.
        resampling: How to draw.
        yardstick: From when on a region counts as looked at, or as used.
    """
    looks = measure_looks(maps, regions.coverage, regions.ignored)
    control_lift = np.stack(
        [_control_lift(maps, regions, index) for index in range(regions.control_coverage.shape[1])], axis=1
    )
    judgement = judge(effects, looks.lift, control_lift, yardstick)
    summary = CategoryAudit(
        map_id=map_id,
        category=regions.category,
        role=regions.role,
        num_images=len(maps),
        looks=summarise_looks(looks, groups=groups, resampling=resampling),
        quadrants=measure_quadrants(judgement, groups=groups, resampling=resampling, yardstick=yardstick),
        uses=measure_rate(judgement.uses, groups=groups, resampling=resampling, yardstick=yardstick),
        control_uses_rate=judgement.uses_threshold.control_rate,
        flips=measure_rate(effects.flips, groups=groups, resampling=resampling),
        delta_prob=mean_interval(effects.delta_prob, groups, resampling),
        uses_threshold=judgement.uses_threshold.value,
        looks_threshold=judgement.looks_threshold.value,
        num_without_control=judgement.num_without_control,
    )
    return summary, CategoryScores(looks, judgement)


def _control_lift(maps: FloatArray, regions: CategoryRegions, index: int) -> FloatArray:
    coverage = regions.control_coverage[:, index]
    is_there = np.isfinite(coverage).all(axis=(1, 2))
    lift = measure_looks(maps, np.where(is_there[:, None, None], coverage, 0), regions.ignored).lift
    return np.where(is_there, lift, np.nan)
