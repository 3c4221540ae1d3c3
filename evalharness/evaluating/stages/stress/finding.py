"""What pasted cut-outs do to the verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness import report
from evalharness.audit import PullCell, PullLead
from evalharness.console import interval_text, new_table, number_text, percent_text
from evalharness.dataset.pasting import PastedPhoto
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import Interval
from evalharness.report import AttentionPair
from evalharness.slugs import slug


@dataclass(frozen=True)
class StressedCategory:
    """What cut-outs of one category do to the verdicts."""

    category: str
    num_images: int
    flips: Interval
    """Part of the verdicts that differ from those on the clean photos."""
    hidden_flips: Interval
    """The same where the cut-out's outline was filled with the photo's mean colour: what hiding alone does."""
    flips_to: Mapping[str, int]
    """New verdicts, the most frequent first."""
    share: Interval
    """Captured: part of the map on the cut-out; NaN without maps."""
    clean_share: Interval
    """Part of the clean photo's map at the same place."""
    area: Interval
    lift: Interval
    delta_prob: Interval
    """What the cut-out takes from the probability of the clean photo's verdict."""


@dataclass(frozen=True)
class StressFinding(Finding):
    """Everything that the pasted cut-outs tell."""

    map_id: str | None
    categories: tuple[StressedCategory, ...]
    pull: tuple[PullCell, ...]
    lead: PullLead | None
    conclusion: str
    """Names the shortcut, or says that none was found."""
    table: pd.DataFrame
    """A row per photo and category: `stress.parquet`."""
    paste: Callable[[str, str], PastedPhoto]
    """Pastes into the photo of a row id the cut-out of a category, as was done for the table."""

    @property
    def title(self) -> str:
        """Of the test."""
        return "Stress test"

    @property
    def sentence(self) -> str:
        """The conclusion."""
        return self.conclusion

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name."""
        found: dict[str, float] = {}
        for entry in self.categories:
            name = f"stress/{slug(entry.category)}"
            found |= {f"{name}/flip_rate": entry.flips.value}
            found |= {f"{name}/captured_share": entry.share.value} if self.map_id else {}
        return found

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "map_id": self.map_id,
            "sentence": self.sentence,
            "lead": asdict(self.lead) if self.lead else None,
            "categories": [asdict(entry) for entry in self.categories],
            "pull": [asdict(cell) for cell in self.pull],
        }

    def draw(self, album: Album) -> None:
        """`stress_pull.png`, and `stress_flips.png`: the verdicts that a cut-out changed, the most confident first."""
        album.save("stress_pull", report.draw_pull(self.pull, source="pasted cut-out"))
        if self.map_id is None:
            return
        classes, grid_size = album.session.inputs.classes, album.session.model_properties.grid_size
        flips = self.table[self.table["flip"] == 1]
        flips = flips.assign(confidence=[_top_probability(logits) for logits in flips["logits"]])
        flips = flips.sort_values(["confidence", "row_id"], ascending=[False, True])
        pairs = [
            AttentionPair(
                row_id=str(row["row_id"]),
                photo=self.paste(str(row["row_id"]), str(row["category"])).image,
                density=np.asarray(row["density"], np.float32).reshape(grid_size),
                label=str(row["label"]),
                pred_label=classes[int(np.argmax(row["logits"]))],
                confidence=float(row["confidence"]),
                map_id=f"{row['category']} {row['share']:.0%}, was {row['clean_pred_label']}",
            )
            for row in flips.head(album.config.num_pairs).to_dict("records")
        ]
        title = (
            f"{len(pairs)} of {len(flips):,} verdicts that a pasted cut-out changed, of {len(self.table):,} with one, "
            f"the most confident first — {self.map_id}"
        )
        album.save_pairs("stress_flips", title, pairs)


def tell_stress(plain: Mapping[str, Any]) -> Iterator[Table | Text]:
    """A row a category, and the shortcut."""
    map_id = plain["map_id"]
    table = new_table(f"stress: a cut-out pasted into the photo{f', map {map_id}' if map_id else ''}")
    for heading in ("cut-out", "photos", "flips", "(hidden)", "mostly to", "share", "(clean)", "Δ prob."):
        table.add_column(heading, justify="left" if heading in ("cut-out", "mostly to") else "right")
    for entry in plain["categories"]:
        new = [f"{name} ({count})" for name, count in list(entry["flips_to"].items())[:1]]
        table.add_row(
            Text(entry["category"]),
            str(entry["num_images"]),
            interval_text(entry["flips"], digits=2),
            percent_text(entry["hidden_flips"]["value"]),
            Text(", ".join(new) or "-"),
            *(number_text(entry[name]["value"]) for name in ("share", "clean_share", "delta_prob")),
        )
    yield table
    yield Text("(hidden): with the cut-out's outline filled instead, what hiding alone does", style="dim")
    yield Text(f"pasted: {plain['sentence']}")


def _top_probability(logits: Sequence[float]) -> float:
    values = np.asarray(logits, np.float64)
    return float(1 / np.exp(values - values.max()).sum())
