"""How scattered maps are, what of it is an artifact, and whether any of it explains mistakes; no model is needed."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text
from scipy.stats import rankdata

from evalharness.audit import (
    NOISE_MEASURES,
    BoolArray,
    Resampling,
    find_outlier_tokens,
    mark_hot_patches,
    predict_mistakes,
)
from evalharness.audit.intervals import mean_interval, ratio_interval
from evalharness.audit.noise import RANKED_BY
from evalharness.config import RunConfig
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.audit import AuditFinding
from evalharness.evaluating.stages.noise.finding import MapNoise, NoiseFinding, tell_noise
from evalharness.records import FloatArray

MAX_NOISIEST = 50


class Noise(Stage[NoiseFinding]):
    """Measures every map of every image, and how well each measure predicts a wrong answer."""

    name: ClassVar[str] = "noise"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:  # noqa: ARG003
        """Needs nothing."""
        return cls()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> NoiseFinding | None:
        """Measures the maps; None without any. The shares of annotated distractors may explain mistakes too.

        Writes `noise.parquet`: `row_id, map_id`, the noise measures, `noise_rank` (1: the noisiest of the map),
        `num_hot`, `num_hot_artifacts`, `num_outliers`.
        """
        maps = rows.maps
        if not maps:
            return None
        session, audit = rows.session, earlier.of(AuditFinding)
        with session.clock.timed("noise"):
            resampling = session.inputs.resampling
            outliers = find_outlier_tokens(np.asarray(rows.writer.array("patch_norms.npy"), np.float32))
            tables = {
                map_id: score_maps(map_id, rows.row_ids, np.asarray(maps[map_id], np.float32), outliers)
                for map_id in maps
            }
            first = next(iter(tables))
            scores = {**_noise_scores(tables[first]), **_share_scores(rows.row_ids, audit)}
            mistakes = [
                predict_mistakes(name, values, rows.is_wrong, groups=rows.groups, resampling=resampling)
                for name, values in scores.items()
            ]
            table = pd.concat(tables.values(), ignore_index=True)
            table.to_parquet(rows.writer.folder / "noise.parquet", index=False)
            return NoiseFinding(
                maps=tuple(_summarise(map_id, scored, rows.groups, resampling) for map_id, scored in tables.items()),
                num_images=len(rows.samples),
                num_outlier_images=int(outliers.any(axis=(1, 2)).sum()),
                mistakes=tuple(mistakes),
                noisiest={map_id: _noisiest(scored) for map_id, scored in tables.items()},
                most_drawn={
                    category: row_ids[:MAX_NOISIEST]
                    for category, row_ids in (audit.most_drawn if audit else {}).items()
                },
                table=table,
            )

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """Whether attention explains mistakes, and what of it is an artifact."""
        return tell_noise(plain)


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
    """Places of the images, 1 the noisiest: by their mean rank in each of `RANKED_BY`; equal ones share a place.

    Args:
        scores: By name, (images,); an image whose scores are NaN has no place.
    """
    is_defined = ~np.isnan(scores["entropy"])
    if not is_defined.any():
        return [None] * len(is_defined)
    ranks = np.mean([rankdata(scores[name][is_defined]) for name in RANKED_BY], axis=0)
    places = iter(rankdata(-ranks, method="min").astype(int).tolist())
    return [next(places) if defined else None for defined in is_defined]


def _noise_scores(rows: pd.DataFrame) -> dict[str, FloatArray]:
    names = [*NOISE_MEASURES, *(["num_outliers"] if rows["num_outliers"].any() else [])]
    return {name: rows[name].to_numpy(np.float64) for name in names}


def _share_scores(row_ids: Sequence[str], audit: AuditFinding | None) -> dict[str, FloatArray]:
    """Share and lift of each distractor on the first map per image; NaN in images that do not hold it."""
    scores: dict[str, FloatArray] = {}
    for category, (_, rows) in audit.distractors.items() if audit else ():
        by_row = rows.set_index("row_id").reindex(list(row_ids))
        scores |= {f"{name} on {category}": by_row[name].to_numpy(np.float64) for name in ("share", "lift")}
    return scores


def _noisiest(rows: pd.DataFrame) -> tuple[str, ...]:
    ordered = rows.dropna(subset=["noise_rank"]).sort_values(["noise_rank", "row_id"])
    return tuple(ordered["row_id"].head(MAX_NOISIEST))


def _summarise(map_id: str, rows: pd.DataFrame, groups: Sequence[str], resampling: Resampling) -> MapNoise:
    hot, artifacts = (rows[name].to_numpy(np.float64) for name in ("num_hot", "num_hot_artifacts"))
    return MapNoise(
        map_id=map_id,
        measures={name: mean_interval(rows[name].to_numpy(np.float64), groups, resampling) for name in NOISE_MEASURES},
        artifact_rate=ratio_interval(artifacts, hot, groups, resampling),
        num_undefined=int(rows["entropy"].isna().sum()),
    )
