"""The report of one evaluation: tables, figures and a gallery of its images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from evalharness.manifest import stage_sentences
from evalharness.records import WHOLE, Extent, UInt8Array
from evalharness.report.html import run_tables, wording
from evalharness.report.html.banner import Banner, make_banner
from evalharness.report.html.embedded_figures import embed_pictures, jpeg_uri
from evalharness.report.html.gallery import Gallery, gallery_data, gather_gallery
from evalharness.report.html.map_verdicts import long_verdicts
from evalharness.report.html.rendering import MAX_BYTES, Page, as_json, render, stage_sections, write_fitting
from evalharness.report.html.run_contents import RunContents
from evalharness.report.html.thumbnails import draw_over

NUM_STATIC = 12
"""Images that are there without the script."""


def write_report(
    folder: Path,
    manifest: Mapping[str, Any],
    load_photo: Callable[[str], UInt8Array],
    path: Path,
    *,
    extent: Callable[[str], Extent] = lambda _: WHOLE,
    max_bytes: int = MAX_BYTES,
) -> Path:
    """Writes the report of one evaluation: a file that needs nothing else, and no network.

    Args:
        folder: The results folder.
        manifest: What its `manifest.json` holds, or is going to.
        load_photo: Gives RGB (height, width, 3) of a row id; where it fails, the page shows a placeholder.
        path: Where to; an older file there stays whole until the new one is.
        extent: Gives the part of the model's input that a row's photo spans.
        max_bytes: The file's largest size. Photos get smaller, and then fewer, to stay within it.

    Returns:
        `path`.
    """
    run = RunContents.read(folder, manifest)
    banner = make_banner(run, load_photo, extent)

    def render_page(budget: float | None) -> Page:
        return _render(run, banner, None if budget is None else gather_gallery(run, load_photo, extent, budget))

    return write_fitting(path, render_page, max_bytes)


@dataclass(frozen=True, slots=True)
class StaticImage:
    """One image of the page without the script."""

    row_id: str
    label: str
    pred_label: str
    is_correct: bool
    confidence: float
    photo: str | None
    overlay: str | None


def _render(run: RunContents, banner: Banner, gallery: Gallery | None) -> Page:
    manifest = run.manifest
    return render(
        "run",
        gallery.thumbnails if gallery else (),
        manifest=manifest,
        banner=banner,
        created=datetime.fromisoformat(manifest["created"]),
        broken_gates=run.findings["broken_gates"],
        classes=run.classes,
        density_max=run.density_max,
        confidence=f"{100 * manifest['config']['bootstrap']['confidence']:g} %",
        headline=wording.headline(run),
        explanation=wording.explain(run),
        confusion=run_tables.confusion_rows(run),
        per_class=run_tables.class_rows(run),
        mistakes=run_tables.listed_mistakes(run),
        sentences=stage_sentences(manifest),
        sections=stage_sections(
            {**run.findings, "regions": _regions_with_verdicts(run), "concepts": _concepts_with_crops(run)}
        ),
        other_metrics=run_tables.other_metrics(run),
        recipe=run_tables.recipe_rows(run),
        pictures=embed_pictures(run.figures),
        gallery=gallery,
        static_images=_static_images(run, gallery) if gallery else [],
        data=as_json(gallery_data(run, gallery)) if gallery else Markup(""),
    )


def _regions_with_verdicts(run: RunContents) -> Mapping[str, Any] | None:
    """What the audit found, with the verdict on each of its maps."""
    found = run.findings.get("regions")
    if not found:
        return None
    map_ids = list(dict.fromkeys(entry["map_id"] for entry in found["categories"]))
    return {**found, "map_verdicts": long_verdicts(run.findings["trust"], map_ids)}


def _concepts_with_crops(run: RunContents) -> Mapping[str, Any] | None:
    """What the stage found, each concept with the address of its crops."""
    found = run.findings.get("concepts")
    if not found:
        return None
    num_holding: Mapping[Any, int] = {}
    if run.concepts is not None:
        num_holding = run.concepts[run.concepts["is_assigned"]].groupby("concept")["row_id"].nunique().to_dict()
    return {
        **found,
        "concepts": [
            {
                **concept,
                "num_shown": num_holding.get(concept["number"], 0),
                "crops": jpeg_uri(path.read_bytes()) if (path := run.strips.get(concept["number"])) else None,
            }
            for concept in found["concepts"]
        ],
    }


def _static_images(run: RunContents, gallery: Gallery) -> list[StaticImage]:
    """The first page of the gallery: the worst mistakes, then other images, photo beside overlay."""
    rows = gallery.rows.reset_index(drop=True)
    order = rows.assign(rank=np.where(rows["correct"], 2 - rows["confidence"], -rows["confidence"]))
    return [
        _static_image(run, gallery, place) for place in order.sort_values(["rank", "row_id"]).head(NUM_STATIC).index
    ]


def _static_image(run: RunContents, gallery: Gallery, place: int) -> StaticImage:
    row, thumbnail = gallery.rows.iloc[place], gallery.thumbnails[place]
    drawn = None
    if thumbnail and gallery.map_ids:
        density = np.asarray(run.maps[gallery.map_ids[0]][row["position"]], np.float32)
        drawn = draw_over(thumbnail, density, run.density_max, gallery.extents[place])
    return StaticImage(
        row_id=str(row["row_id"]),
        label=row["label"],
        pred_label=row["pred_label"],
        is_correct=bool(row["correct"]),
        confidence=float(row["confidence"]),
        photo=jpeg_uri(thumbnail.jpeg) if thumbnail else None,
        overlay=jpeg_uri(drawn) if drawn else None,
    )
