"""The report of a comparison: verdicts, what differs, and a gallery of the images of which one run alone is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image

from evalharness.comparison import RULE
from evalharness.report.html import comparison_tables as tables
from evalharness.report.html.comparison_banner import make_comparison_banner
from evalharness.report.html.comparison_contents import ComparisonContents
from evalharness.report.html.embedded_figures import embed_pictures, jpeg_uri
from evalharness.report.html.flips import FlipGallery, by_change, flip_data, gather_flips
from evalharness.report.html.rendering import MAX_BYTES, Page, as_json, render, write_fitting
from evalharness.report.html.thumbnails import Thumbnail, draw_over, to_jpeg
from evalharness.slugs import file_slugs

NUM_STATIC, NUM_EVIDENCE = 12, 2
"""Flips whose pictures are there without the script, and those of them that stand at the top."""
PLAIN_GREY, PLAIN_SIDE, PLAIN_QUALITY = 200, 160, 70


def write_comparison_report(contents: ComparisonContents, path: Path, *, max_bytes: int = MAX_BYTES) -> Path:
    """Writes the report of one comparison: a file that needs nothing else, and no network.

    Args:
        contents: Of the comparison.
        path: Where to; an older file there stays whole until the new one is.
        max_bytes: The file's largest size. Photos get smaller, and then flips fewer, to stay within it.

    Returns:
        `path`.
    """

    def render_page(budget: float | None) -> Page:
        return _render(contents, None if budget is None else gather_flips(contents, budget))

    return write_fitting(path, render_page, max_bytes)


@dataclass(frozen=True, slots=True)
class StaticFlip:
    """One flip of the page without the script."""

    row_id: str
    kind: str
    label: str
    photo: str | None
    sides: tuple["StaticSide", ...]
    """The reference, then the run."""


@dataclass(frozen=True, slots=True)
class StaticSide:
    """What one run made of the photo."""

    name: str
    pred_label: str
    confidence: float
    is_right: bool
    overlay: str | None


def _render(contents: ComparisonContents, gallery: FlipGallery | None) -> Page:
    manifest = contents.manifest
    static_flips = _static_flips(contents, gallery) if gallery else []
    return render(
        "comparison",
        tuple(gallery.thumbnails.values()) if gallery else (),
        manifest=manifest,
        banner=make_comparison_banner(contents),
        evidence=_evidence(contents, static_flips),
        rule=RULE,
        title=f"{' and '.join(pair['name'] for pair in contents.pairs)} against {manifest['reference']}",
        created=datetime.fromisoformat(manifest["created"]),
        confidence=f"{100 * manifest['resampling']['confidence']:g} %",
        density_max=contents.density_max,
        run_names=contents.run_names,
        verdicts=tables.verdict_rows(contents),
        metrics=tables.metric_tables(contents),
        settings=tables.setting_rows(contents),
        classes=tables.class_tables(contents),
        calibration=tables.calibration_rows(contents),
        bins=tables.calibration_bins(contents),
        regions=tables.audit_tables(contents),
        region_measures=tables.REGION_MEASURES,
        pull=tables.pull_rows(contents),
        concepts=tables.concept_rows(contents),
        listed=tables.listed_flips(contents),
        similarity_columns=tables.similarity_columns(contents),
        pictures=embed_pictures(contents.figures, _figure_titles(contents)),
        gallery=gallery,
        static_flips=static_flips,
        data=as_json(flip_data(contents, gallery)) if gallery else Markup(""),
    )


def _figure_titles(contents: ComparisonContents) -> dict[str, str]:
    """By name of the file without its ending, in the order of the page."""
    slugs = file_slugs(pair["name"] for pair in contents.pairs)
    by_class = {f"per_class.{written}": f"{name}: every class" for name, written in slugs.items()}
    return {"differences": "Difference of every number", "calibration": "Confidence against accuracy", **by_class}


def _static_flips(contents: ComparisonContents, gallery: FlipGallery) -> list[StaticFlip]:
    """The first page of the gallery: the largest changes, photo beside both maps."""
    if gallery.rows.empty:
        return []
    first = gallery.rows.loc[by_change(gallery.rows)[:NUM_STATIC]]
    rows: list[Any] = first.to_dict("records")
    return [_static_flip(contents, gallery, row) for row in rows]


def _evidence(contents: ComparisonContents, flips: Sequence[StaticFlip]) -> list[StaticFlip]:
    """Flips for the top of the page, each of another photo: those that speak for the first verdict first."""
    against = "broken" if contents.pairs[0]["outcome"].endswith("worse") else "fixed"
    ordered = sorted(flips, key=lambda flip: flip.kind != against)
    return list({flip.row_id: flip for flip in reversed(ordered)}.values())[::-1][:NUM_EVIDENCE]


def _static_flip(contents: ComparisonContents, gallery: FlipGallery, row: Mapping[str, Any]) -> StaticFlip:
    thumbnail = gallery.thumbnails[row["row_id"]]
    shown = thumbnail or _plain(contents.aspect(row["row_id"]))
    sides = []
    for name, prefix, kind in ((contents.run_names[0], "reference_", "broken"), (row["run"], "", "fixed")):
        overlay = None
        if gallery.map_ids:
            run = next(run for run in contents.runs if run.name == name)
            density = np.asarray(run.load(gallery.map_ids[0], [row["row_id"]])[0], np.float32)
            overlay = jpeg_uri(draw_over(shown, density, contents.density_max, run.extent(row["row_id"])))
        pred_label, confidence = row[f"{prefix}pred_label"], float(row[f"{prefix}confidence"])
        sides.append(StaticSide(name, pred_label, confidence, row["kind"] == kind, overlay))
    photo = jpeg_uri(thumbnail.jpeg) if thumbnail else None
    return StaticFlip(row["row_id"], row["kind"], row["label"], photo, tuple(sides))


def _plain(aspect: float) -> Thumbnail:
    """Grey, in the proportions of a photo that is gone."""
    size = (max(1, round(PLAIN_SIDE * min(1.0, aspect))), max(1, round(PLAIN_SIDE / max(1.0, aspect))))
    return Thumbnail(to_jpeg(Image.new("RGB", size, (PLAIN_GREY, PLAIN_GREY, PLAIN_GREY)), PLAIN_QUALITY), aspect)
