"""The sheets of photos beside maps that the findings call for: quadrants, noise, artifacts, stress."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalharness import report, results
from evalharness.audit import find_outlier_tokens, mask_outliers
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.stages.audit.stage import RegionAudit
from evalharness.evaluating.stages.before_after.stage import BeforeAfter
from evalharness.evaluating.stages.noise.stage import Noise
from evalharness.evaluating.stages.stress.stage import StressTest, paste_into
from evalharness.evaluating.stages.what_is_it.stage import NamedRegions, crop_of
from evalharness.records import FloatArray
from evalharness.report import AttentionPair
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.report.named_crops import NamedCrop, draw_named_crops, mark_box
from evalharness.slugs import slug

QUADRANT_TITLES = {
    "relies": "Relies: looks at the distractor and uses it",
    "looks only": "Looks only: looks at the distractor without using it",
    "uses unseen": "Uses unseen: uses the distractor without looking at it",
    "clean": "Clean: neither looks at the distractor nor uses it",
}
TELLING = {"relies": "delta_prob", "looks only": "share", "uses unseen": "delta_prob", "clean": "confidence"}
"""The column that puts a quadrant's images in order, highest first."""


@dataclass(frozen=True)
class Album:
    """Everything that a sheet takes its photos and maps from."""

    inputs: Inputs
    writer: results.ResultsWriter
    samples: pd.DataFrame
    """Of the results: `row_id, label, pred_label, confidence`."""
    folder: Path
    """Where figures go."""

    @property
    def num_pairs(self) -> int:
        """On each sheet."""
        return self.inputs.config.report.num_pairs

    def density(self, row_id: str, map_id: str) -> FloatArray:
        """One stored map."""
        return np.asarray(self.writer.maps()[map_id][self.position(row_id)], np.float32)

    def position(self, row_id: str) -> int:
        """Of a row in every array."""
        return int(np.flatnonzero(self.samples["row_id"] == row_id)[0])

    def pair(self, row_id: str, density: FloatArray, remark: str) -> AttentionPair:
        """The photo beside a map."""
        sample: dict[Any, Any] = self.samples.iloc[self.position(row_id)].to_dict()
        return AttentionPair(
            row_id=row_id,
            photo=self.inputs.load_photo(row_id),
            density=density,
            label=str(sample["label"]),
            pred_label=str(sample["pred_label"]),
            confidence=float(sample["confidence"]),
            map_id=remark,
            extent=self.inputs.photo_extent(row_id),
        )

    def draw(self, name: str, title: str, pairs: Sequence[AttentionPair]) -> None:
        """Writes a contact sheet, if there is anything on it."""
        if pairs:
            config = self.inputs.config.report
            figure = report.draw_contact_sheet(pairs, title=title, density_max=config.density_max, style=config.style)
            report.save_figure(figure, self.folder / f"{name}.png")

    def draw_columns(self, name: str, title: str, headings: Sequence[str], rows: Sequence[LineupRow]) -> None:
        """Writes a line-up of maps of the same photos, if there is anything on it."""
        if rows:
            density_max = self.inputs.config.report.density_max
            report.save_figure(
                draw_lineup(rows, headings, title=title, density_max=density_max), self.folder / f"{name}.png"
            )

    def row(self, row_id: str, cells: Sequence[tuple[FloatArray, str]], *, has_verdict: Sequence[bool]) -> LineupRow:
        """A photo and a map with its remark in each column, with the run's verdict where the map belongs to it."""
        pairs = [self.pair(row_id, density, "") for density, _ in cells]
        remarks = [remark for _, remark in cells]
        columns = zip(pairs, remarks, has_verdict, strict=True)
        return LineupRow(row_id, pairs[0].photo, tuple(LineupCell(*column) for column in columns))


def draw_quadrant_sheets(album: Album, regions: RegionAudit) -> None:
    """A sheet per quadrant of the first map, `pairs_<quadrant>.png`: distractors take turns, the most telling first."""
    map_id = regions.categories[0].map_id
    table = regions.table.merge(album.samples[["row_id", "confidence"]], on="row_id")
    table = table[(table["map_id"] == map_id) & (table["role"] == "distractor")]
    for quadrant, title in QUADRANT_TITLES.items():
        rows = table[table["quadrant"] == quadrant].sort_values([TELLING[quadrant], "row_id"], ascending=[False, True])
        rows = rows.assign(turn=rows.groupby("category").cumcount()).sort_values(["turn", "category"])
        pairs = [
            album.pair(
                str(row["row_id"]),
                album.density(str(row["row_id"]), map_id),
                f"{row['category']} {row['share']:.0%}, Δp {row['delta_prob']:+.2f}",
            )
            for row in rows.head(album.num_pairs).to_dict("records")
        ]
        album.draw(f"pairs_{quadrant.replace(' ', '_')}", f"{title} — {map_id}", pairs)


def draw_noisiest_sheets(album: Album, noise: Noise, regions: RegionAudit | None) -> None:
    """A sheet per annotated distractor, `pairs_noisiest.<category>.png`: the images whose map lies most on it first."""
    if regions is None:
        return
    map_id = regions.categories[0].map_id
    table = regions.table[regions.table["map_id"] == map_id]
    for category in dict.fromkeys(entry.category for entry in regions.categories if entry.role == "distractor"):
        shares = table[table["category"] == category].set_index("row_id")["share"].to_dict()
        pairs = [
            album.pair(row_id, album.density(row_id, map_id), f"{shares[row_id]:.0%} on {category}")
            for row_id in noise.most_drawn.get(category, ())[: album.num_pairs]
        ]
        album.draw(f"pairs_noisiest.{slug(category)}", f"Most of the map on {category} first — {map_id}", pairs)


def draw_artifacts(album: Album, noise: Noise) -> None:
    """`artifacts.png`: the first map with and without outlier tokens, where there are any."""
    if not noise.num_outlier_images:
        return
    map_id = noise.maps[0].map_id
    rows = noise.table[(noise.table["map_id"] == map_id) & (noise.table["num_outliers"] > 0)]
    rows = rows.sort_values(["num_hot_artifacts", "num_outliers", "row_id"], ascending=[False, False, True])
    lines = []
    for row in rows.head(max(2, album.num_pairs // 2)).to_dict("records"):
        row_id = str(row["row_id"])
        norms = np.asarray(album.writer.array("patch_norms.npy")[album.position(row_id)], np.float32)
        whole = album.density(row_id, map_id)
        rest = mask_outliers(whole[None], find_outlier_tokens(norms[None]))[0]
        # Drawn black: hatched would say that there is no map at all.
        shown = np.where(np.isnan(rest), 0, rest) if np.isfinite(rest).any() else rest
        remark = f"{row['num_hot_artifacts']} of {row['num_hot']} hot patches are artifacts"
        cells = [(whole, remark), (shown, f"{row['num_outliers']} outlier tokens left out")]
        lines.append(album.row(row_id, cells, has_verdict=(True, True)))
    title = f"Artifact or attention: {map_id} with and without outlier tokens"
    album.draw_columns("artifacts", title, ["all patches", "without outlier tokens"], lines)


def draw_stress(album: Album, stress: StressTest) -> None:
    """`stress_pull.png`, and `stress_flips.png`: the verdicts that a cut-out changed, the most confident first."""
    report.save_figure(report.draw_pull(stress.pull), album.folder / "stress_pull.png")
    if stress.map_id is None:
        return
    inputs, classes = album.inputs, album.inputs.classes
    flips = stress.table[stress.table["flip"] == 1]
    flips = flips.assign(confidence=[_top_probability(logits) for logits in flips["logits"]])
    flips = flips.sort_values(["confidence", "row_id"], ascending=[False, True])
    rows, columns = inputs.facts["grid_size"]
    pairs = []
    for row in flips.head(album.num_pairs).to_dict("records"):
        photo = paste_into(inputs, str(row["row_id"]), str(row["category"]))
        pairs.append(
            AttentionPair(
                row_id=str(row["row_id"]),
                photo=photo.image,
                density=np.asarray(row["density"], np.float32).reshape(rows, columns),
                label=str(row["label"]),
                pred_label=classes[int(np.argmax(row["logits"]))],
                confidence=float(row["confidence"]),
                map_id=f"{row['category']} {row['share']:.0%}, was {row['clean_pred_label']}",
            )
        )
    title = f"Stress: verdicts that a cut-out changed — {stress.map_id}"
    album.draw("stress_flips", title, pairs)


def draw_before_after(album: Album, found: BeforeAfter) -> None:
    """`before_after.png`: the images whose first compared map moved most, under the reference and under the run."""
    if found.table.empty:
        return
    map_id = str(found.table["map_id"].iloc[0])
    rows = found.table[found.table["map_id"] == map_id].dropna(subset=["total_variation"])
    rows = rows.sort_values(["total_variation", "row_id"], ascending=[False, True])
    grid_size = album.inputs.facts["grid_size"]
    lines = []
    for row in rows.head(max(2, album.num_pairs // 2)).to_dict("records"):
        before, after = (np.asarray(row[name], np.float32).reshape(grid_size) for name in ("before", "after"))
        remark = f"{row['total_variation']:.0%} of the attention moved"
        lines.append(album.row(str(row["row_id"]), [(before, ""), (after, remark)], has_verdict=(False, True)))
    title = f"Before and after fine-tuning: {map_id}, most moved first"
    album.draw_columns("before_after", title, ["before", "after"], lines)


def draw_named(album: Album, named: NamedRegions) -> None:
    """`what_is_it.png`: photos under their map beside the crop of the hottest region and its name."""
    inputs, density_max = album.inputs, album.inputs.config.report.density_max
    crops = []
    for row in named.table.head(2 * album.num_pairs).to_dict("records"):
        row_id = str(row["row_id"])
        density = album.density(row_id, named.map_id)
        box = [float(row[edge]) for edge in ("top", "bottom", "left", "right")]
        photo = report.overlay(
            inputs.load_photo(row_id), density, density_max=density_max, extent=inputs.photo_extent(row_id)
        )
        crop, photo = crop_of(inputs, row_id, box), mark_box(photo, box)
        remark = f"{row['share']:.0%} of the map"
        crops.append(NamedCrop(row_id, photo, crop, str(row["name"]), float(row["confidence"]), remark))
    if crops:
        where = " off the object" if named.off_object else ""
        title = f"What is it? The hottest region{where} of the noisiest maps, named by its crop — {named.map_id}"
        report.save_figure(draw_named_crops(crops, title=title), album.folder / "what_is_it.png")


def _top_probability(logits: Sequence[float]) -> float:
    values = np.asarray(logits, np.float64)
    return float(1 / np.exp(values - values.max()).sum())
