"""The first thing that a report says: what the run relies on, with the two photos that show it."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.special import softmax

from evalharness.records import Extent, FloatArray, UInt8Array
from evalharness.report.html.embedded_figures import jpeg_uri
from evalharness.report.html.map_verdicts import short_verdicts
from evalharness.report.html.outlines import annotated_outlines, concept_outlines
from evalharness.report.html.reliance import Reliance, find_reliance
from evalharness.report.html.run_contents import RunContents
from evalharness.report.html.thumbnails import draw_over, shrink, to_jpeg, try_photo
from evalharness.report.html.wording import is_number, number, percent

NUM_PICTURES = 2
MAX_TRIED = 12
"""Photos that may turn out to be gone before there are no pictures."""
STEP = 2
"""Size of the pictures, in `STEPS`."""
MAX_CATEGORIES = 3
"""That are told of, where none is a shortcut."""
OUTLINE = (("black", 3), ("#ffb000", 1))
"""Colour and width in pixels, the lower first."""
OUTLINE_QUALITY = 85
LOOKS = {"shortcut": "bad", "none found": "clear", "cannot tell": "warn", "nobody looked": "warn"}
"""Style by outcome."""


@dataclass(frozen=True, slots=True)
class BannerPicture:
    """One photo beside its map."""

    row_id: str
    pred_label: str
    label: str
    confidence: float
    is_correct: bool
    facts: str
    """What the map and the erasure say, as far as it is stored."""
    photo: str
    overlay: str | None


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands above everything else."""

    reliance: Reliance
    look: str
    """Style."""
    quality: str
    """How good the run is."""
    where: str
    """Where it looks; empty where nothing is known of that."""
    pictures_title: str
    pictures: tuple[BannerPicture, ...]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Images that show the finding, the most telling first."""

    rows: pd.DataFrame
    """`row_id`, and where something was erased `share, delta_prob, flip, erased_logits`."""
    map_id: str | None
    title: str


def make_banner(run: RunContents, load_photo: Callable[[str], UInt8Array], extent: Callable[[str], Extent]) -> Banner:
    """Judges the run by what its stages found, and draws the two images that tell most.

    Args:
        run: The evaluation.
        load_photo: Gives RGB (height, width, 3) of a row id; where it fails, another image is taken.
        extent: Gives the part of the model's input that a row's photo spans.
    """
    reliance = find_reliance(run.manifest, run.audit)
    evidence = _gather_evidence(run, reliance)
    drawn = _draw(run, reliance, evidence, load_photo, extent)
    pictures = tuple(picture for picture, _ in zip(drawn, range(NUM_PICTURES), strict=False))
    return Banner(
        reliance=reliance,
        look=LOOKS[reliance.outcome],
        quality=_describe_quality(run),
        where=_describe_where(run, reliance, evidence.map_id),
        pictures_title=evidence.title,
        pictures=pictures,
    )


def _describe_quality(run: RunContents) -> str:
    num_images, num_right = len(run.samples), int(run.samples["correct"].sum())
    low, high = run.manifest["intervals"].get("accuracy", (None, None))
    interval = f" ({percent(low, 1)} to {percent(high, 1)})" if is_number(low) else ""
    return f"{percent(num_right / num_images, 1)} right{interval}: {num_right:,} of {num_images:,} images"


def _gather_evidence(run: RunContents, reliance: Reliance) -> _Evidence:
    samples = run.samples[["row_id", "group", "label", "pred_label", "correct", "confidence"]]
    if reliance.source == "regions" and run.audit is not None:
        map_id = run.findings["regions"]["categories"][0]["map_id"]
        rows = run.audit[(run.audit["category"] == reliance.category) & (run.audit["map_id"] == map_id)]
        return _most_telling(run, reliance, samples.merge(rows, on="row_id"), map_id)
    if reliance.source == "concepts" and run.concepts is not None:
        map_id = run.findings["concepts"]["map_id"]
        # Both tables list the regions of a photo in one order.
        rows = run.concepts.assign(region=run.concepts.groupby("row_id").cumcount())
        rows = rows[rows["is_assigned"] & (rows["concept"] == reliance.concept) & (rows["split"] == "claim")]
        return _most_telling(run, reliance, samples.merge(rows, on="row_id"), map_id)
    wrong = samples[~samples["correct"].astype(bool)].sort_values(["confidence", "row_id"], ascending=[False, True])
    return _Evidence(_one_a_group(wrong), next(iter(run.maps), None), "The most confident mistakes")


def _most_telling(run: RunContents, reliance: Reliance, rows: pd.DataFrame, map_id: str) -> _Evidence:
    """Images of other classes: first those taken for the class, then by share of the map times what erasing takes."""
    others = rows[rows["label"] != reliance.class_name]
    weight = others["share"].fillna(0) * others["delta_prob"].fillna(0).clip(lower=0)
    ordered = others.assign(is_taken=others["pred_label"] == reliance.class_name, weight=weight).sort_values(
        ["is_taken", "weight", "share", "row_id"], ascending=[False, False, False, True]
    )
    chosen = _one_a_group(ordered)
    table = "erasures" if reliance.source == "regions" else "concept_erasures"
    keys = ["row_id", "category"] if reliance.source == "regions" else ["row_id", "region"]
    erased = run.erasures(table, keys, list(chosen["row_id"]))
    return _Evidence(
        chosen.merge(erased, on=keys, how="left") if erased is not None else chosen,
        map_id,
        f"Two photos of other classes with {reliance.category}",
    )


def _one_a_group(rows: pd.DataFrame) -> pd.DataFrame:
    """The first image of each group: two views of one scene show the same."""
    return rows.drop_duplicates("group").head(MAX_TRIED)


def _draw(
    run: RunContents,
    reliance: Reliance,
    evidence: _Evidence,
    load_photo: Callable[[str], UInt8Array],
    extent: Callable[[str], Extent],
) -> Iterator[BannerPicture]:
    positions = {row_id: position for position, row_id in enumerate(run.samples["row_id"])}
    rows: list[Any] = evidence.rows.to_dict("records")
    for row in rows:
        photo = try_photo(row["row_id"], load_photo)
        if photo is None:
            continue
        thumbnail, drawn, seen = shrink(photo, STEP), None, extent(row["row_id"])
        if evidence.map_id is not None and evidence.map_id in run.maps:
            density = np.asarray(run.maps[evidence.map_id][positions[row["row_id"]]], np.float32)
            drawn = draw_over(thumbnail, density, run.density_max, seen)
        shapes = _outlines(run, reliance, row, seen)
        yield BannerPicture(
            row_id=str(row["row_id"]),
            pred_label=row["pred_label"],
            label=row["label"],
            confidence=float(row["confidence"]),
            is_correct=bool(row["correct"]),
            facts=_describe_image(run, reliance, row) if "share" in row else "",
            photo=jpeg_uri(_outline(thumbnail.jpeg, shapes)),
            overlay=jpeg_uri(_outline(drawn, shapes)) if drawn else None,
        )


def _outlines(run: RunContents, reliance: Reliance, row: Any, seen: Extent) -> list[list[float]]:
    if reliance.source == "concepts":
        return concept_outlines(run, row["patches"], seen)
    return annotated_outlines(run, row["row_id"], reliance.category) if reliance.source == "regions" else []


def _outline(jpeg: bytes, shapes: list[list[float]]) -> bytes:
    """The picture with polygons over it, light on dark, so that they are seen on anything."""
    if not shapes:
        return jpeg
    with Image.open(io.BytesIO(jpeg)) as image:
        picture = image.convert("RGB")
    pen = ImageDraw.Draw(picture)
    for polygon in shapes:
        corners = [(x * picture.width, y * picture.height) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
        for colour, width in OUTLINE:
            pen.line([*corners, corners[0]], fill=colour, width=width, joint="curve")
    return to_jpeg(picture, OUTLINE_QUALITY)


def _describe_image(run: RunContents, reliance: Reliance, row: Any) -> str:
    """How much of the map is on what the run relies on, and the verdict without it."""
    parts = [f"{percent(row['share'])} of the map on {reliance.category}"] if is_number(row["share"]) else []
    probs = _probs(row.get("erased_logits"))
    if probs is not None:
        best = int(probs.argmax())
        parts.append(f"with it erased: {run.manifest['classes'][best]} {number(probs[best], 2)}")
    elif is_number(row["delta_prob"]):
        parts.append(f"erasing it takes {number(row['delta_prob'], 2)} from {row['pred_label']}")
    return "; ".join(parts)


def _probs(logits: Any) -> FloatArray | None:
    """Softmax of stored logits; None where nothing could be erased."""
    if not isinstance(logits, np.ndarray) or not np.isfinite(logits).all():
        return None
    probs: FloatArray = softmax(logits.astype(np.float64))
    return probs


def _describe_where(run: RunContents, reliance: Reliance, map_id: str | None) -> str:
    """How much of the map lies on what was found, or looked for, and whether that map may be believed."""
    if map_id is None:
        return ""
    trust = short_verdicts(run.findings["trust"], [map_id])[map_id]
    told = f"Where it looks, by the map {map_id} ({trust}): "
    if reliance.source == "concepts":
        entry = next(found for found in run.findings["concepts"]["concepts"] if found["number"] == reliance.concept)
        return f"{told}{number(entry['lift']['value'], 1)} times as much on {reliance.category} as its size earns."
    categories = [
        entry for entry in (run.findings.get("regions") or {}).get("categories", ())
        if entry["map_id"] == map_id and is_number(entry["looks"]["share"]["value"])
        and reliance.category in ("", entry["category"])
    ]  # fmt: skip
    largest = sorted(categories, key=lambda entry: -entry["looks"]["share"]["value"])[:MAX_CATEGORIES]
    parts = [
        f"{percent(entry['looks']['share']['value'])} on {entry['category']}, which covers "
        f"{percent(entry['looks']['area']['value'])} of its photos"
        for entry in largest
    ]
    return f"{told}{'; '.join(parts)}." if parts else ""
