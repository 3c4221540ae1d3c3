"""The audit of two runs side by side, paired by row: do they look at, and use, the same regions?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalharness.audit import UNDETERMINED, Resampling
from evalharness.audit.intervals import interval_over, mean_interval
from evalharness.comparison.outcomes import Difference, Judge
from evalharness.records import FloatArray, Interval
from evalharness.statistics import resample_counts, resampling_units, select_groups

KEYS = ["row_id", "map_id", "category"]
MEASURES = ("share", "uses", "relies", "flip", "delta_prob")
"""Means over images, each with a value per image; `lift`, a ratio of means, is added to them."""
HIGHER_IS_BETTER = {"distractor": False}
"""By role: of attention on the object neither is better."""
NOTHING = Difference(np.nan, np.nan, Interval(np.nan, np.nan, np.nan), "cannot tell")


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
    num_compared: int = 1,
) -> tuple[CategoryChange, ...]:
    """Compares the tables of two audits.

    Args:
        reference: `audit.parquet` of the reference.
        table: Of the run.
        name: Of the run.
        groups: By row id, of the rows that are compared; others are left out.
        map_ids: The maps to compare.
        resampling: How to draw.
        num_compared: Runs that are compared with the reference, all of whose numbers the correction is for.
    """
    paired = reference.merge(table, on=KEYS, suffixes=("_before", "_after"))
    paired = paired[paired["row_id"].isin(list(groups)) & paired["map_id"].isin(list(map_ids))]
    num_categories = len(paired[["map_id", "category"]].drop_duplicates())
    judge = Judge(resampling.confidence, (len(MEASURES) + 1) * num_categories * num_compared)
    found = []
    for map_id in map_ids:
        for category, rows in paired[paired["map_id"] == map_id].groupby("category", sort=True):
            before, after = _values(rows, "_before"), _values(rows, "_after")
            role, units = str(rows["role_before"].iloc[0]), [groups[row_id] for row_id in rows["row_id"]]
            pairing = _Pairing(before, after, units, resampling, judge, higher_is_better=HIGHER_IS_BETTER.get(role))
            found.append(
                CategoryChange(
                    name=name,
                    map_id=map_id,
                    category=str(category),
                    role=role,
                    num_images=len(rows),
                    measures=pairing.measures(),
                    num_judged={key: int((~np.isnan(before[key] + after[key])).sum()) for key in MEASURES},
                )
            )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Pairing:
    """One category on one map in both runs, image by image."""

    before: Mapping[str, FloatArray]
    after: Mapping[str, FloatArray]
    groups: Sequence[str]
    resampling: Resampling
    judge: Judge
    higher_is_better: bool | None

    def measures(self) -> dict[str, Difference]:
        """By name, in the order of the tables."""
        means = {name: self._mean(name) for name in MEASURES}
        return {"share": means.pop("share"), "lift": self._lift(), **means}

    def _mean(self, name: str) -> Difference:
        before, after = self.before[name], self.after[name]
        kept = ~np.isnan(before) & ~np.isnan(after)
        if not kept.any():
            return NOTHING
        differences = np.where(kept, after - before, np.nan)

        def interval_at(confidence: float) -> Interval:
            return mean_interval(differences, self.groups, replace(self.resampling, confidence=confidence))

        return self.judge.difference(
            before[kept].mean(), after[kept].mean(), interval_at, higher_is_better=self.higher_is_better
        )

    def _lift(self) -> Difference:
        """Mean share / mean area of both over the same images and resamples."""
        columns = np.stack([own[name] for own in (self.before, self.after) for name in ("share", "area")], axis=1)
        kept = ~np.isnan(columns).any(axis=1)
        if not kept.any():
            return NOTHING
        columns, resampling = columns[kept], self.resampling
        units = resampling_units(select_groups(self.groups, kept), len(columns))
        chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
        sums = np.concatenate([counts @ columns for counts in chunks])
        differences = _quotient(sums[:, 2], sums[:, 3]) - _quotient(sums[:, 0], sums[:, 1])
        totals = columns.sum(axis=0)
        reference, value = (float(_quotient(totals[i : i + 1], totals[i + 1 : i + 2])[0]) for i in (0, 2))

        def interval_at(confidence: float) -> Interval:
            return interval_over(units, value - reference, differences, confidence)

        return self.judge.difference(reference, value, interval_at, higher_is_better=self.higher_is_better)


def _values(rows: pd.DataFrame, ending: str) -> dict[str, FloatArray]:
    names = ("share", "area", "uses", "flip", "delta_prob")
    values = {name: rows[f"{name}{ending}"].to_numpy(np.float64) for name in names}
    relies = (rows[f"quadrant{ending}"] == "relies").to_numpy(np.float64)
    values["relies"] = np.where(rows[f"quadrant{ending}"] == UNDETERMINED, np.nan, relies)
    return values


def _quotient(top: FloatArray, bottom: FloatArray) -> FloatArray:
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
