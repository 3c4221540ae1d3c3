"""What fine-tuning did to the attention."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.text import Text

from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import Interval
from evalharness.slugs import slug


@dataclass(frozen=True)
class Movement:
    """How far one map moved."""

    map_id: str
    num_images: int
    spearman: Interval
    """Mean rank correlation of the patches, before with after."""
    total_variation: Interval
    """Mean part of the attention that lies elsewhere now, 0 to 1."""
    is_by_construction: bool = False
    """The backbone is the reference's, so that a map without a class cannot have moved."""


@dataclass(frozen=True)
class ShareChange:
    """The share of one map on one annotated category, before and after."""

    map_id: str
    category: str
    role: str
    num_images: int
    before: Interval
    after: Interval
    change: Interval
    """Mean of after - before, paired by image."""

    @property
    def sentence(self) -> str:
        """Which way the share went, in plain words."""
        ends = f"{self.before.value:.3f} before, {self.after.value:.3f} after; {self.change.value:+.3f}"
        if math.isnan(self.change.ci_low):
            return f"The share of {self.map_id} on {self.category}: {ends}; too few images for an interval."
        ends += f", {self.change.ci_low:+.3f} to {self.change.ci_high:+.3f}"
        if self.change.ci_high < 0:
            return f"The share of {self.map_id} on {self.category} fell ({ends})."
        if self.change.ci_low > 0:
            return f"The share of {self.map_id} on {self.category} rose ({ends})."
        return f"The share of {self.map_id} on {self.category} did not clearly change ({ends})."


@dataclass(frozen=True)
class BeforeAfterFinding(Finding):
    """What fine-tuning did to the attention."""

    is_frozen: bool
    """The backbone's weights are the reference's."""
    has_head: bool
    """The reference has a head like the run's, so that class-specific maps are compared too."""
    movements: tuple[Movement, ...]
    changes: tuple[ShareChange, ...]
    """Of every map and annotated category."""
    table: pd.DataFrame
    """A row per image and map: `reference.parquet`; empty where nothing could move."""

    @property
    def title(self) -> str:
        """Of the stage."""
        return "Before and after fine-tuning"

    @property
    def sentence(self) -> str:
        """What happened, in plain words."""
        parts = []
        if self.is_frozen:
            parts.append(
                "The backbone was frozen: its weights are the reference's, so maps that do not depend on the class are "
                "the same by construction, and nothing was computed for them."
            )
        parts += [
            f"Fine-tuning moved {entry.total_variation.value:.0%} of {entry.map_id} elsewhere "
            f"({_range(entry.total_variation)}rank correlation {entry.spearman.value:.2f})."
            for entry in self.movements
            if not entry.is_by_construction
        ]
        return " ".join([*parts, *(entry.sentence for entry in self.changes if entry.role == "distractor")])

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name: of the first map that was compared."""
        if not self.movements:
            return {}
        first = self.movements[0]
        found = {f"reference/{first.map_id}/total_variation": first.total_variation.value}
        return found | {
            f"reference/{slug(entry.category)}/share_change": entry.change.value
            for entry in self.changes
            if entry.map_id == first.map_id and entry.role == "distractor"
        }

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "is_frozen": self.is_frozen,
            "has_head": self.has_head,
            "sentence": self.sentence,
            "movements": [asdict(entry) for entry in self.movements],
            "changes": [asdict(entry) for entry in self.changes],
        }

    def draw(self, album: Album) -> None:
        """`before_after.png`: the images whose first compared map moved most, before and after."""
        if self.table.empty:
            return
        map_id = str(self.table["map_id"].iloc[0])
        rows = self.table[self.table["map_id"] == map_id].dropna(subset=["total_variation"])
        rows = rows.sort_values(["total_variation", "row_id"], ascending=[False, True])
        grid_size = album.session.model_properties.grid_size
        lines = []
        for row in rows.head(max(2, album.config.num_pairs // 2)).to_dict("records"):
            before, after = (np.asarray(row[name], np.float32).reshape(grid_size) for name in ("before", "after"))
            remark = f"{row['total_variation']:.0%} of the attention moved"
            lines.append(album.row(str(row["row_id"]), [(before, ""), (after, remark)], has_verdict=(False, True)))
        title = f"Before and after fine-tuning: {len(lines)} of {len(rows):,} images, most moved first — {map_id}"
        album.save_columns("before_after", title, ["before", "after"], lines)


def tell_before_after(plain: Mapping[str, Any]) -> Iterator[Text]:
    """The sentence."""
    yield Text(plain["sentence"])


def _range(interval: Interval) -> str:
    return "" if math.isnan(interval.ci_low) else f"{interval.ci_low:.0%} to {interval.ci_high:.0%}; "
