"""The audit of two runs side by side, paired by row: do they look at, and use, the same regions?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalharness.audit import UNDETERMINED, Resampling
from evalharness.audit.intervals import interval_over, mean_interval
from evalharness.comparison.pairs import Difference
from evalharness.records import FloatArray, Interval
from evalharness.statistics import resample_counts, resampling_units, select_groups

KEYS = ["row_id", "map_id", "category"]
MEASURES = ("share", "uses", "relies", "flip", "delta_prob")
"""Means over images, each with a value per image; `lift`, a ratio of means, is added to them."""


@dataclass(frozen=True, slots=True)
class CategoryChange:
    """One category on one map, in a run and in the reference, over the images for which both have the number."""

    name: str
    """Of the run."""
    map_id: str
    category: str
    role: str
    num_images: int
    """That hold the category in both."""
    measures: Mapping[str, Difference]
    """By name: `share`, `lift`, `uses`, `relies`, `flip`, `delta_prob`."""
    num_judged: Mapping[str, int]
    """For how many images both have the number, by the same names but `lift`."""


def compare_audits(
    reference: pd.DataFrame,
    table: pd.DataFrame,
    *,
    name: str,
    groups: Mapping[str, str],
    map_ids: Sequence[str],
    resampling: Resampling,
) -> tuple[CategoryChange, ...]:
    """Compares the tables of two audits.

    Args:
        reference: `audit.parquet` of the reference.
        table: Of the run.
        name: Of the run.
        groups: By row id, of the rows that are compared; others are left out.
        map_ids: The maps to compare.
        resampling: How to draw.
    """
    paired = reference.merge(table, on=KEYS, suffixes=("_before", "_after"))
    paired = paired[paired["row_id"].isin(list(groups)) & paired["map_id"].isin(list(map_ids))]
    found = []
    for map_id in map_ids:
        for category, rows in paired[paired["map_id"] == map_id].groupby("category", sort=True):
            before, after = _values(rows, "_before"), _values(rows, "_after")
            found.append(
                CategoryChange(
                    name=name,
                    map_id=map_id,
                    category=str(category),
                    role=str(rows["role_before"].iloc[0]),
                    num_images=len(rows),
                    measures=_measure(before, after, [groups[row_id] for row_id in rows["row_id"]], resampling),
                    num_judged={key: int((~np.isnan(before[key] + after[key])).sum()) for key in MEASURES},
                )
            )
    return tuple(found)


def _measure(
    before: Mapping[str, FloatArray], after: Mapping[str, FloatArray], groups: Sequence[str], resampling: Resampling
) -> dict[str, Difference]:
    measures = {name: _mean_difference(before[name], after[name], groups, resampling) for name in MEASURES}
    lift = _lift_difference(before, after, groups, resampling)
    return {"share": measures.pop("share"), "lift": lift, **measures}


def _values(rows: pd.DataFrame, ending: str) -> dict[str, FloatArray]:
    names = ("share", "area", "uses", "flip", "delta_prob")
    values = {name: rows[f"{name}{ending}"].to_numpy(np.float64) for name in names}
    relies = (rows[f"quadrant{ending}"] == "relies").to_numpy(np.float64)
    values["relies"] = np.where(rows[f"quadrant{ending}"] == UNDETERMINED, np.nan, relies)
    return values


def _mean_difference(
    before: FloatArray, after: FloatArray, groups: Sequence[str], resampling: Resampling
) -> Difference:
    kept = ~np.isnan(before) & ~np.isnan(after)
    if not kept.any():
        return Difference(np.nan, np.nan, Interval(np.nan, np.nan, np.nan))
    interval = mean_interval(np.where(kept, after - before, np.nan), groups, resampling)
    return Difference(float(before[kept].mean()), float(after[kept].mean()), interval)


def _lift_difference(
    before: Mapping[str, FloatArray], after: Mapping[str, FloatArray], groups: Sequence[str], resampling: Resampling
) -> Difference:
    """Mean share / mean area of both over the same images and resamples."""
    columns = np.stack([before["share"], before["area"], after["share"], after["area"]], axis=1)
    kept = ~np.isnan(columns).any(axis=1)
    if not kept.any():
        return Difference(np.nan, np.nan, Interval(np.nan, np.nan, np.nan))
    columns = columns[kept]
    units = resampling_units(select_groups(groups, kept), len(columns))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    sums = np.concatenate([counts @ columns for counts in chunks])
    old, new = _quotient(sums[:, 0], sums[:, 1]), _quotient(sums[:, 2], sums[:, 3])
    totals = columns.sum(axis=0)
    reference, value = (float(_quotient(totals[i : i + 1], totals[i + 1 : i + 2])[0]) for i in (0, 2))
    return Difference(reference, value, interval_over(units, value - reference, new - old, resampling.confidence))


def _quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
