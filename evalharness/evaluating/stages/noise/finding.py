"""What the maps tell without annotations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness.audit import NOISE_MEASURES, MistakePrediction, find_outlier_tokens, mask_outliers
from evalharness.audit.mistakes import CHANCE
from evalharness.console import percent_text
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import Interval

SHAPE_SCORES = (*NOISE_MEASURES, "num_outliers")
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
class NoiseFinding(Finding):
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
    def main_map(self) -> str:
        """The run's first map."""
        return self.maps[0].map_id

    @property
    def outlier_rate(self) -> float:
        """Part of the images with at least one outlier token."""
        return self.num_outlier_images / self.num_images

    def ranked(self, map_id: str) -> list[str]:
        """Row ids of all images that the map is defined for, the noisiest first."""
        rows = self.table[self.table["map_id"] == map_id].dropna(subset=["noise_rank"])
        return [str(row_id) for row_id in rows.sort_values(["noise_rank", "row_id"])["row_id"]]

    @property
    def title(self) -> str:
        """Of the stage."""
        return "Noise and mistakes"

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

    @property
    def row_columns(self) -> dict[str, pd.Series]:
        """`noise_rank` of the first map."""
        rows = self.table[self.table["map_id"] == self.main_map]
        return {"noise_rank": rows.set_index("row_id")["noise_rank"]}

    def draw(self, album: Album) -> None:
        """`artifacts.png`: the first map with and without outlier tokens, where there are any."""
        if not self.num_outlier_images:
            return
        rows = self.table[(self.table["map_id"] == self.main_map) & (self.table["num_outliers"] > 0)]
        rows = rows.sort_values(["num_hot_artifacts", "num_outliers", "row_id"], ascending=[False, False, True])
        lines = []
        for row in rows.head(max(2, album.config.num_pairs // 2)).to_dict("records"):
            row_id = str(row["row_id"])
            norms = album.rows.writer.array("patch_norms.npy")[album.rows.positions[row_id]]
            whole = album.density(row_id, self.main_map)
            rest = mask_outliers(whole[None], find_outlier_tokens(np.asarray(norms, np.float32)[None]))[0]
            # Drawn black: hatched would say that there is no map at all.
            shown = np.where(np.isnan(rest), 0, rest) if np.isfinite(rest).any() else rest
            remark = f"{row['num_hot_artifacts']} of {row['num_hot']} hot patches are artifacts"
            cells = [(whole, remark), (shown, f"{row['num_outliers']} outlier tokens left out")]
            lines.append(album.row(row_id, cells, has_verdict=(True, True)))
        title = (
            f"Artifact or attention: {len(lines)} of {len(rows):,} images with outlier tokens, with and without them — "
            f"{self.main_map}"
        )
        album.save_columns("artifacts", title, ["all patches", "without outlier tokens"], lines)


def explain_mistakes(mistakes: Sequence[MistakePrediction]) -> str:
    """The answer to "does attention explain the mistakes?": scores of regions first, since they say what is looked at.

    Of the scores of one region the most telling stands for all. The shape of a map (entropy, Gini, ...) says nothing by
    itself, and is told behind them. Scores with fewer than `MIN_ANSWERS` right or wrong answers are left out: their
    interval says nothing.
    """
    tried = [entry for entry in mistakes if min(entry.num_wrong, entry.num_images - entry.num_wrong) >= MIN_ANSWERS]
    if not tried:
        return f"Whether attention explains mistakes cannot be told: fewer than {MIN_ANSWERS} right or wrong answers."
    telling = [entry for entry in tried if entry.auroc.ci_low > CHANCE or entry.auroc.ci_high < CHANCE]
    if not telling:
        return f"Attention does not explain the mistakes: none of {len(tried)} scores tells wrong answers from right."
    ordered = sorted(telling, key=lambda entry: -abs(entry.auroc.value - CHANCE))
    shape = [entry for entry in ordered if entry.score in SHAPE_SCORES]
    of_regions: dict[str, MistakePrediction] = {}
    for entry in ordered:
        if entry not in shape:
            of_regions.setdefault(entry.score.partition(" on ")[2], entry)
    parts = [
        f"Attention goes with mistakes in {len(telling)} of {len(tried)} scores (by chance 1 in 20 would).",
        *(entry.sentence for entry in of_regions.values()),
    ]
    if shape:
        named = ", ".join(f"{entry.score} {entry.auroc.value:.2f}" for entry in shape)
        parts.append(f"By the shape of the map alone: AUROC of {named}.")
    return " ".join(parts)


def tell_noise(plain: Mapping[str, Any]) -> Iterator[Table | Text]:
    """The sentence, and how many hot patches are artifacts."""
    yield Text(plain["sentence"])
    if plain["num_outlier_images"]:
        first = plain["maps"][0]
        yield Text(
            f"{plain['num_outlier_images']} of {plain['num_images']} images have outlier tokens; "
            f"{percent_text(first['artifact_rate']['value'])} of the hot patches of {first['map_id']} are such "
            "artifacts (artifacts.png)"
        )
