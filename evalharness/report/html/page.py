"""Puts the page together: tables, figures, gallery, style and script in one file that loads nothing."""

import io
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from evalharness.records import UInt8Array
from evalharness.report.html import tables, wording
from evalharness.report.html.contents import RunContents
from evalharness.report.html.gallery import Gallery, gallery_data, gather_gallery, photo_data
from evalharness.report.html.photos import to_jpeg
from evalharness.report.html.pictures import embed_pictures, jpeg_uri
from evalharness.report.overlay import WHOLE, Extent, overlay

TEMPLATES = Path(__file__).parent / "templates"
MAX_BYTES = 30_000_000
RESERVE = 500_000
NUM_STATIC = 12
"""Images that are there without the script."""
STATIC_QUALITY = 70


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
    fixed = _render(run, None)
    budget = float(max_bytes - RESERVE - len(fixed.encode()))
    page = fixed
    for _ in range(4):
        page = _render(run, gather_gallery(run, load_photo, extent, budget))
        excess = len(page.encode()) - max_bytes
        if excess <= 0:
            break
        budget -= 1.1 * excess
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


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


def _render(run: RunContents, gallery: Gallery | None) -> str:
    style, script = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))  # noqa: S704 - our own files
    manifest = run.manifest
    return (
        _environment()
        .get_template("run.html.jinja")
        .render(
            style=style,
            script=script,
            script_hash=b64encode(sha256(script.encode()).digest()).decode("ascii"),
            manifest=manifest,
            created=datetime.fromisoformat(manifest["created"]),
            findings=run.findings,
            classes=run.classes,
            density_max=run.density_max,
            confidence=f"{100 * manifest['config']['bootstrap']['confidence']:g} %",
            headline=wording.headline(run),
            explanation=wording.explain(run),
            confusion=tables.confusion_rows(run),
            per_class=tables.class_rows(run),
            mistakes=tables.listed_mistakes(run),
            trust=tables.trust_rows(run),
            trust_measures=tables.TRUST_MEASURES,
            regions=tables.region_tables(run),
            pull_table=tables.pull_table,
            other_metrics=tables.other_metrics(run),
            recipe=tables.recipe_rows(run),
            pictures=embed_pictures(run.figures),
            gallery=gallery,
            static_images=_static_images(run, gallery) if gallery else [],
            data=_as_json(gallery_data(run, gallery)) if gallery else Markup(""),
            photos=_as_json(photo_data(gallery)) if gallery else Markup(""),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": wording.number, "percent": wording.percent, "between": wording.between}
    environment.tests["a_number"] = wording.is_number
    return environment


def _as_json(value: Any) -> Markup:
    """JSON inside a script element: no `<` may end it, no `&` be taken for an entity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704 - escaped


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
        with Image.open(io.BytesIO(thumbnail.jpeg)) as image:
            photo = np.asarray(image.convert("RGB"))
        density = np.asarray(run.maps[gallery.map_ids[0]][row["position"]], np.float32)
        pixels = overlay(photo, density, density_max=run.density_max, extent=gallery.extents[place])
        drawn = jpeg_uri(to_jpeg(Image.fromarray(pixels), STATIC_QUALITY))
    return StaticImage(
        row_id=str(row["row_id"]),
        label=row["label"],
        pred_label=row["pred_label"],
        is_correct=bool(row["correct"]),
        confidence=float(row["confidence"]),
        photo=jpeg_uri(thumbnail.jpeg) if thumbnail else None,
        overlay=drawn,
    )
