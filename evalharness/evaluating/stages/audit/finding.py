"""What the audit of annotated regions found."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness import report
from evalharness.audit import CategoryAudit, PullCell, PullLead
from evalharness.console import interval_text, new_table, percent_text
from evalharness.evaluating.album import Album
from evalharness.evaluating.stage import Finding
from evalharness.records import Interval
from evalharness.slugs import file_slugs, slug

QUADRANT_TITLES = {
    "relies": "Relies: looks at the distractor and uses it",
    "looks only": "Looks only: looks at the distractor without using it",
    "uses unseen": "Uses unseen: uses the distractor without looking at it",
    "clean": "Clean: neither looks at the distractor nor uses it",
}
WITHOUT = "audit/accuracy_without_distractor"
TELLING = {"relies": "delta_prob", "looks only": "share", "uses unseen": "delta_prob", "clean": "confidence"}
"""The column that puts a quadrant's images in order, highest first."""


@dataclass(frozen=True)
class CategoryAccuracy:
    """How many verdicts are right on the images that hold a distractor."""

    category: str | None
    """None: on those without any that is annotated."""
    num_images: int
    accuracy: Interval


@dataclass(frozen=True)
class AuditFinding(Finding):
    """Everything that the annotations tell of a run."""

    categories: tuple[CategoryAudit, ...]
    """By map, then category."""
    accuracies: tuple[CategoryAccuracy, ...]
    """Without a distractor, then with each; none where no distractor is annotated."""
    pull: tuple[PullCell, ...]
    lead: PullLead | None
    conclusion: str
    """Names the shortcut, or says that none was found."""
    thresholds: str
    """From when on a region counts as looked at, or as used."""
    table: pd.DataFrame
    """A row per image, map and category: `audit.parquet`."""

    @property
    def title(self) -> str:
        """Of the audit."""
        return "Audit"

    @property
    def sentence(self) -> str:
        """The conclusion."""
        return self.conclusion

    @property
    def main_map(self) -> str:
        """The run's first map, which gates and sheets read."""
        return self.categories[0].map_id

    @cached_property
    def distractors(self) -> Mapping[str, tuple[CategoryAudit, pd.DataFrame]]:
        """On the main map, by category: the summary and its rows."""
        table = self.table[self.table["map_id"] == self.main_map]
        return {
            entry.category: (entry, table[table["category"] == entry.category])
            for entry in self.categories
            if entry.map_id == self.main_map and entry.role == "distractor"
        }

    @property
    def most_drawn(self) -> dict[str, tuple[str, ...]]:
        """Row ids by distractor, those first of whose main map most lies on it."""
        ordered = {
            category: rows.dropna(subset=["share"]).sort_values(["share", "row_id"], ascending=[False, True])
            for category, (_, rows) in self.distractors.items()
        }
        return {category: tuple(rows["row_id"]) for category, rows in ordered.items()}

    @property
    def measures(self) -> dict[str, float]:
        """Accuracy and strongest pull with each distractor, and every category on the main map."""
        measures = {
            f"audit/{slug(entry.category)}/accuracy" if entry.category else WITHOUT: entry.accuracy.value
            for entry in self.accuracies
        }
        with_one = [entry.accuracy.value for entry in self.accuracies if entry.category]
        if with_one:
            measures["audit/lowest_accuracy"] = min(with_one)
        strongest: dict[str, float] = {}
        for cell in self.pull:
            if cell.is_significant is not None:
                strongest[cell.category] = max(strongest.get(cell.category, -1.0), cell.pull.value)
        measures |= {f"audit/{slug(category)}/pull": value for category, value in strongest.items()}
        if strongest:
            measures["audit/max_pull"] = max(strongest.values())
        for entry in self.categories:
            if entry.map_id == self.main_map:
                values = {
                    "share": entry.looks.share.value,
                    "lift": entry.looks.lift.value,
                    "uses_rate": entry.uses.interval.value,
                    "relies_rate": entry.quadrants["relies"].interval.value,
                    "flip_rate": entry.flips.interval.value,
                }
                measures |= {f"audit/{slug(entry.category)}/{name}": value for name, value in values.items()}
        return measures

    @property
    def row_columns(self) -> dict[str, pd.Series]:
        """`looks_at.<map_id>`: the annotated region that most of the map lies on, and the quadrant if it is known."""
        columns = {}
        for map_id, rows in self.table.dropna(subset=["share"]).groupby("map_id", sort=False):
            most = rows.sort_values(["share", "category"], ascending=[False, True]).drop_duplicates("row_id")
            told = [
                f"{row['share']:.0%} on {row['category']}{_remark(row['role'], row['quadrant'])}"
                for row in most.to_dict("records")
            ]
            columns[f"looks_at.{map_id}"] = pd.Series(told, index=most["row_id"], dtype=object)
        return columns

    @property
    def plain(self) -> dict[str, Any]:
        """Summaries, the pull matrix and its lead."""
        return {
            "sentence": self.sentence,
            "thresholds": self.thresholds,
            "lead": asdict(self.lead) if self.lead else None,
            "categories": [asdict(entry) for entry in self.categories],
            "accuracies": [asdict(entry) for entry in self.accuracies],
            "pull": [asdict(cell) for cell in self.pull],
        }

    def draw(self, album: Album) -> None:
        """`audit_quadrants.png`, and where a distractor is annotated `audit_pull.png` and sheets of pairs."""
        album.save("audit_quadrants", report.draw_quadrants(self.categories))
        if self.pull:
            album.save("audit_pull", report.draw_pull(self.pull))
        self._draw_quadrant_sheets(album)
        self._draw_most_drawn(album)

    def _draw_quadrant_sheets(self, album: Album) -> None:
        """`pairs_<quadrant>.png`: distractors take turns, the most telling first."""
        table = self.table.merge(album.samples[["row_id", "confidence"]], on="row_id")
        table = table[(table["map_id"] == self.main_map) & (table["role"] == "distractor")]
        for quadrant, title in QUADRANT_TITLES.items():
            rows = table[table["quadrant"] == quadrant].sort_values(
                [TELLING[quadrant], "row_id"], ascending=[False, True]
            )
            rows = rows.assign(turn=rows.groupby("category").cumcount()).sort_values(["turn", "category"])
            pairs = [
                album.pair(
                    str(row["row_id"]),
                    album.density(str(row["row_id"]), self.main_map),
                    f"{row['category']} {row['share']:.0%}, Δp {row['delta_prob']:+.2f}",
                )
                for row in rows.head(album.config.num_pairs).to_dict("records")
            ]
            counted = f"{len(pairs)} of {len(rows):,}" if len(pairs) < len(rows) else f"{len(rows):,}"
            counted += f" verdict{'' if len(rows) == 1 else 's'} of {len(table):,} with one"
            album.save_pairs(f"pairs_{quadrant.replace(' ', '_')}", f"{title} ({counted}) — {self.main_map}", pairs)

    def _draw_most_drawn(self, album: Album) -> None:
        """`pairs_noisiest.<category>.png` of each distractor: the images whose map lies most on it first."""
        slugs = file_slugs(self.most_drawn)
        for category, row_ids in self.most_drawn.items():
            shares = self.distractors[category][1].set_index("row_id")["share"].to_dict()
            pairs = [
                album.pair(row_id, album.density(row_id, self.main_map), f"{shares[row_id]:.0%} on {category}")
                for row_id in row_ids[: album.config.num_pairs]
            ]
            counted = f"{len(pairs)} of {len(row_ids):,} images with {category}"
            title = f"{counted}, those with most of the map on it first — {self.main_map}"
            album.save_pairs(f"pairs_noisiest.{slugs[category]}", title, pairs)


def _remark(role: str, quadrant: str) -> str:
    """What is known of a region behind its name; that a verdict relies on the object is as it should be."""
    if role != "distractor":
        return f" ({role})"
    return f" ({quadrant})" if quadrant in QUADRANT_TITLES else ""


def tell_audit(plain: Mapping[str, Any]) -> Iterator[Table | Text]:
    """The table of the first map, and the sentence."""
    # All maps would not fit; they are in the figures and in the manifest.
    main_map = plain["categories"][0]["map_id"]
    table = new_table(f"what {main_map} looks at, and what the verdict uses")
    for heading in ("region", "judged", "lift", "uses", "control", "relies", "flips"):
        table.add_column(heading, justify="left" if heading == "region" else "right", no_wrap=heading != "region")
    for entry in (entry for entry in plain["categories"] if entry["map_id"] == main_map):
        table.add_row(
            Text(entry["category"] if entry["role"] == "distractor" else f"{entry['category']} ({entry['role']})"),
            f"{entry['uses']['num_images']} of {entry['num_images']}",
            interval_text(entry["looks"]["lift"], digits=2),
            *(
                percent_text(rate, digits=0)
                for rate in (
                    entry["uses"]["interval"]["value"],
                    entry["control_uses_rate"],
                    entry["quadrants"]["relies"]["interval"]["value"],
                    entry["flips"]["interval"]["value"],
                )
            ),
        )
    yield table
    # Folders of earlier versions have none.
    if parts := [_tell_accuracy(entry) for entry in plain.get("accuracies", ())]:
        yield Text(f"accuracy: {', '.join(parts)}")
    yield Text(plain["sentence"])


def _tell_accuracy(entry: Mapping[str, Any]) -> str:
    where = f"with {entry['category']}" if entry["category"] else "without a distractor"
    return f"{percent_text(entry['accuracy']['value'])} {where} ({entry['num_images']} images)"
