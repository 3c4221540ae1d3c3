"""How scattered maps are, what of it is an artifact, and whether any of it explains mistakes; no model is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from evalharness import results
from evalharness.audit import (
    NOISE_MEASURES,
    BoolArray,
    MistakePrediction,
    Resampling,
    find_outlier_tokens,
    mark_hot_patches,
    predict_mistakes,
)
from evalharness.audit.intervals import mean_interval, ratio_interval
from evalharness.audit.mistakes import CHANCE
from evalharness.audit.noise import RANKED
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.evaluating.stages.audit.stage import RegionAudit
from evalharness.records import FloatArray, Interval, Sample

MAX_NOISIEST = 50
MIN_ANSWERS = 5
"""Right and wrong answers each that a score needs to be heard in the summary."""


@dataclass(frozen=True)
class MapNoise:
    """One map over the images of a run."""

    map_id: str
    measures: Mapping[str, Interval]
    """Means by name in `NOISE_MEASURES`."""
    artifact_rate: Interval
    """Part of the hot patches that are outlier tokens; NaN where no patch is hot."""
    num_undefined: int
    """Images whose map is not defined."""


@dataclass(frozen=True)
class Noise:
    """What the maps tell without annotations."""

    maps: tuple[MapNoise, ...]
    num_images: int
    num_outlier_images: int
    """Images with at least one outlier token."""
    mistakes: tuple[MistakePrediction, ...]
    """Of the first map's measures, and of its share and lift on each annotated distractor."""
    noisiest: Mapping[str, tuple[str, ...]]
    """Row ids by map id, the noisiest first."""
    most_drawn: Mapping[str, tuple[str, ...]]
    """Row ids by annotated distractor, those first of whose first map most lies on it."""
    table: pd.DataFrame
    """A row per image and map: `noise.parquet`."""

    @property
    def outlier_rate(self) -> float:
        """Part of the images with at least one outlier token."""
        return self.num_outlier_images / self.num_images

    def ranked(self, map_id: str) -> list[str]:
        """Row ids of all images that the map is defined for, the noisiest first."""
        rows = self.table[self.table["map_id"] == map_id].dropna(subset=["noise_rank"])
        return [str(row_id) for row_id in rows.sort_values(["noise_rank", "row_id"])["row_id"]]

    @property
    def sentence(self) -> str:
        """Whether attention explains mistakes, in plain words."""
        return explain_mistakes(self.mistakes)

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name."""
        found = {
            f"attention/{entry.map_id}/{name}": entry.measures[name].value
            for entry in self.maps
            for name in ("entropy", "gini")
        }
        return {**found, "attention/outlier_rate": self.outlier_rate}

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "sentence": self.sentence,
            "num_images": self.num_images,
            "num_outlier_images": self.num_outlier_images,
            "maps": [asdict(entry) for entry in self.maps],
            "mistakes": [{**asdict(entry), "sentence": entry.sentence} for entry in self.mistakes],
            "noisiest": {name: list(row_ids) for name, row_ids in self.noisiest.items()},
            "most_drawn": {name: list(row_ids) for name, row_ids in self.most_drawn.items()},
        }


def measure_noise(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, regions: RegionAudit | None
) -> Noise | None:
    """Measures every map of every image, and how well each measure predicts a wrong answer; None without maps.

    Writes `noise.parquet`: `row_id, map_id`, the noise measures, `noise_rank` (1: the noisiest of the map), `num_hot`,
    `num_hot_artifacts`, `num_outliers`.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        writer: Their maps, norms and logits.
        regions: Of the annotated regions, whose shares may explain mistakes too.
    """
    maps = writer.maps()
    if not maps:
        return None
    with timed("noise", inputs.durations_s):
        row_ids = [sample.row_id for sample in samples]
        groups = [sample.group for sample in samples]
        outliers = find_outlier_tokens(np.asarray(writer.array("patch_norms.npy"), np.float32))
        tables = {
            map_id: score_maps(map_id, row_ids, np.asarray(maps[map_id], np.float32), outliers) for map_id in maps
        }
        labels = np.array([inputs.classes.index(sample.label) for sample in samples])
        is_wrong = np.asarray(writer.array("logits.npy")).argmax(axis=1) != labels
        first = next(iter(tables))
        mistakes = [
            predict_mistakes(name, values, is_wrong, groups=groups, resampling=inputs.resampling)
            for name, values in {**_noise_scores(tables[first]), **_share_scores(first, row_ids, regions)}.items()
        ]
        table = pd.concat(tables.values(), ignore_index=True)
        table.to_parquet(writer.folder / "noise.parquet", index=False)
        return Noise(
            maps=tuple(_summarise(map_id, rows, groups, inputs.resampling) for map_id, rows in tables.items()),
            num_images=len(samples),
            num_outlier_images=int(outliers.any(axis=(1, 2)).sum()),
            mistakes=tuple(mistakes),
            noisiest={map_id: _noisiest(rows) for map_id, rows in tables.items()},
            most_drawn=_most_drawn(first, regions),
            table=table,
        )


def score_maps(map_id: str, row_ids: Sequence[str], maps: FloatArray, outliers: BoolArray) -> pd.DataFrame:
    """The rows of `noise.parquet` for one map.

    Args:
        map_id: Of the map.
        row_ids: Of the images.
        maps: Densities, (images, grid rows, grid columns).
        outliers: Of `find_outlier_tokens`, same shape.
    """
    scores = {name: measure(maps) for name, measure in NOISE_MEASURES.items()}
    kinds = mark_hot_patches(maps, outliers)
    return pd.DataFrame(
        {
            "row_id": list(row_ids),
            "map_id": map_id,
            **scores,
            "noise_rank": pd.array(rank_noise(scores), dtype="Int64"),
            "num_hot": (kinds != "").sum(axis=(1, 2)),
            "num_hot_artifacts": (kinds == "artifact").sum(axis=(1, 2)),
            "num_outliers": outliers.sum(axis=(1, 2)),
        }
    )


def rank_noise(scores: Mapping[str, FloatArray]) -> list[int | None]:
    """Places of the images, 1 the noisiest: by the mean of their ranks in each of `RANKED`; equal ones share a place.

    Args:
        scores: By name, (images,); an image whose scores are NaN has no place.
    """
    is_defined = ~np.isnan(scores["entropy"])
    if not is_defined.any():
        return [None] * len(is_defined)
    ranks = np.mean([rankdata(scores[name][is_defined]) for name in RANKED], axis=0)
    places = iter(rankdata(-ranks, method="min").astype(int).tolist())
    return [next(places) if defined else None for defined in is_defined]


def explain_mistakes(mistakes: Sequence[MistakePrediction]) -> str:
    """The answer to "does attention explain the mistakes?", with every score that tells, the most telling first.

    Scores with fewer than `MIN_ANSWERS` right or wrong answers are left out: their interval says nothing.
    """
    tried = [entry for entry in mistakes if min(entry.num_wrong, entry.num_images - entry.num_wrong) >= MIN_ANSWERS]
    if not tried:
        return f"Whether attention explains mistakes cannot be told: fewer than {MIN_ANSWERS} right or wrong answers."
    telling = [entry for entry in tried if entry.auroc.ci_low > CHANCE or entry.auroc.ci_high < CHANCE]
    if not telling:
        return f"Attention does not explain the mistakes: none of {len(tried)} scores tells wrong answers from right."
    ordered = sorted(telling, key=lambda entry: -abs(entry.auroc.value - CHANCE))
    return " ".join(
        [
            f"Attention goes with mistakes in {len(telling)} of {len(tried)} scores (by chance 1 in 20 would).",
            *(entry.sentence for entry in ordered),
        ]
    )


def _noise_scores(rows: pd.DataFrame) -> dict[str, FloatArray]:
    names = [*NOISE_MEASURES, *(["num_outliers"] if rows["num_outliers"].any() else [])]
    return {name: rows[name].to_numpy(np.float64) for name in names}


def _share_scores(map_id: str, row_ids: Sequence[str], regions: RegionAudit | None) -> dict[str, FloatArray]:
    """Share and lift of each distractor per image; NaN in images that do not hold it."""
    scores: dict[str, FloatArray] = {}
    for category, rows in _distractor_rows(map_id, regions):
        by_row = rows.set_index("row_id").reindex(list(row_ids))
        scores |= {f"{name} on {category}": by_row[name].to_numpy(np.float64) for name in ("share", "lift")}
    return scores


def _distractor_rows(map_id: str, regions: RegionAudit | None) -> list[tuple[str, pd.DataFrame]]:
    if regions is None:
        return []
    table = regions.table
    wanted = table[(table["map_id"] == map_id) & (table["role"] == "distractor")]
    return [(str(category), rows) for category, rows in wanted.groupby("category", sort=True)]


def _noisiest(rows: pd.DataFrame) -> tuple[str, ...]:
    ordered = rows.dropna(subset=["noise_rank"]).sort_values(["noise_rank", "row_id"])
    return tuple(ordered["row_id"].head(MAX_NOISIEST))


def _most_drawn(map_id: str, regions: RegionAudit | None) -> dict[str, tuple[str, ...]]:
    ordered = {
        category: rows.dropna(subset=["share"]).sort_values(["share", "row_id"], ascending=[False, True])
        for category, rows in _distractor_rows(map_id, regions)
    }
    return {category: tuple(rows["row_id"].head(MAX_NOISIEST)) for category, rows in ordered.items()}


def _summarise(map_id: str, rows: pd.DataFrame, groups: Sequence[str], resampling: Resampling) -> MapNoise:
    hot, artifacts = (rows[name].to_numpy(np.float64) for name in ("num_hot", "num_hot_artifacts"))
    return MapNoise(
        map_id=map_id,
        measures={name: mean_interval(rows[name].to_numpy(np.float64), groups, resampling) for name in NOISE_MEASURES},
        artifact_rate=ratio_interval(artifacts, hot, groups, resampling),
        num_undefined=int(rows["entropy"].isna().sum()),
    )
