"""The images of a run as the page's script takes them: verdicts, scores, regions, maps and photos."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalharness.records import WHOLE, Extent, UInt8Array
from evalharness.report.html.map_verdicts import long_verdicts, short_verdicts
from evalharness.report.html.outlines import chars_per_image, outline_data
from evalharness.report.html.packed_maps import base64_of, choose_maps, map_chars, palette, quantise
from evalharness.report.html.rendering import rounded
from evalharness.report.html.run_contents import RunContents
from evalharness.report.html.thumbnails import STEPS, Thumbnail, make_thumbnails, plan_photos
from evalharness.report.overlay import drawn_aspect
from evalharness.report.selection import select_logged

TOP_CLASSES = 5
"""Probabilities that are kept of an image."""
CHARS_PER_ROW = 400
"""Of everything but map and photo, roughly."""
NOISE_SCORES = {
    "noise_rank": "noise rank (1: noisiest)",
    "entropy": "entropy (1: even)",
    "gini": "Gini (1: concentrated)",
    "num_hot_blobs": "hot blobs",
    "border_share": "share on the border",
}


@dataclass(frozen=True, slots=True)
class Gallery:
    """The images that a page shows."""

    rows: pd.DataFrame
    """Of the samples, in their order, with `position` among all."""
    map_ids: tuple[str, ...]
    left_out_maps: tuple[str, ...]
    """For want of room."""
    thumbnails: tuple[Thumbnail | None, ...]
    extents: tuple[Extent, ...]
    num_all: int
    """Images of the run."""
    photo_side: int
    """Longest side of a photo, in pixels."""

    @property
    def num_without_photo(self) -> int:
        """Images whose photo could not be loaded."""
        return sum(found is None for found in self.thumbnails)

    @property
    def note(self) -> str:
        """What is not shown, in plain words; empty where all is."""
        parts = []
        if len(self.rows) < self.num_all:
            parts.append(
                f"To stay small, this page shows {len(self.rows):,} of {self.num_all:,} images: wrong answers first "
                "(the most confident before others), the rest drawn at random, the classes taking turns. All numbers "
                "are of all images."
            )
        if self.left_out_maps:
            parts.append(f"To stay small, this page leaves out the maps {', '.join(self.left_out_maps)}.")
        if self.num_without_photo:
            parts.append(f"{self.num_without_photo:,} photos could not be read when this page was made.")
        return " ".join(parts)


def gather_gallery(
    run: RunContents, load_photo: Callable[[str], UInt8Array], extent: Callable[[str], Extent], budget: float
) -> Gallery:
    """Chooses images, maps and the size of photos so that all fit into so many characters.

    Args:
        run: The evaluation.
        load_photo: Gives RGB (height, width, 3) of a row id; may fail.
        extent: Gives the part of the model's input that a row's photo spans.
        budget: Characters of the page for the gallery.
    """
    row_ids = [str(row_id) for row_id in run.samples["row_id"]]
    plan = plan_photos(row_ids, load_photo)
    chars = {map_id: map_chars(densities) for map_id, densities in run.maps.items()}
    map_ids = choose_maps(chars, len(row_ids), budget)
    chars_without_photo = CHARS_PER_ROW + chars_per_image(run) + sum(chars[map_id] for map_id in map_ids)
    most = int(budget // (chars_without_photo + plan.least_chars))
    rows = choose_rows(run.samples, most, run.seed)
    for_photos = budget - len(rows) * chars_without_photo
    step = plan.step(len(rows), for_photos)
    thumbnails = make_thumbnails(list(rows["row_id"]), load_photo, step, for_photos)
    return Gallery(
        rows=rows,
        map_ids=tuple(map_ids),
        left_out_maps=tuple(map_id for map_id in run.maps if map_id not in map_ids),
        thumbnails=tuple(thumbnails),
        extents=tuple(_extent_of(row_id, extent) for row_id in rows["row_id"]),
        num_all=len(row_ids),
        photo_side=STEPS[step][0],
    )


def choose_rows(samples: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """The rows to show, in their order: all, or the wrong answers (to half of the room) and others by class.

    Args:
        samples: With `row_id, label, correct, confidence`.
        most: Rows that fit.
        seed: Of the choice.

    Returns:
        The chosen rows with `position`, their place among all.
    """
    placed = samples.assign(position=np.arange(len(samples)))
    if len(placed) <= most:
        return placed
    wrong = placed[~placed["correct"].astype(bool)].sort_values(["confidence", "row_id"], ascending=[False, True])
    kept = list(wrong["row_id"].head(max(1, most // 2)))
    others = placed[~placed["row_id"].isin(kept)]
    kept += select_logged(others, most - len(kept), seed)
    return placed[placed["row_id"].isin(kept)]


def gallery_data(run: RunContents, gallery: Gallery) -> dict[str, Any]:
    """Everything but the photos, as plain values by column: a list has an entry per shown image."""
    rows = gallery.rows
    index_of = {name: index for index, name in enumerate(run.classes)}
    probs = rows[[f"prob_{name}" for name in run.classes]].to_numpy(np.float64)
    best = np.argsort(-probs, axis=1, kind="stable")[:, :TOP_CLASSES]
    labels = [index_of[name] for name in rows["label"]]
    extents = gallery.extents
    return {
        "classes": list(run.classes),
        "density_max": run.density_max,
        "palette": base64_of(palette()),
        "ids": list(rows["row_id"]),
        "labels": labels,
        "preds": [index_of[name] for name in rows["pred_label"]],
        "confidence": rounded(rows["confidence"], 4),
        "true_prob": rounded(probs[np.arange(len(rows)), labels], 4),
        "top": best.tolist(),
        "top_probs": [rounded(values, 4) for values in np.take_along_axis(probs, best, axis=1)],
        "aspects": [
            round(thumbnail.aspect if thumbnail else drawn_aspect(width / max(1, height)), 4)
            for thumbnail, width, height in zip(gallery.thumbnails, rows["width"], rows["height"], strict=True)
        ],
        "extents": None if all(found == WHOLE for found in extents) else [rounded(found, 5) for found in extents],
        "maps": [_map_data(run, gallery, map_id) for map_id in gallery.map_ids],
        "outlines": outline_data(run, list(rows["row_id"]), gallery.extents),
        "regions": _region_data(run, gallery),
        "concepts": _concept_data(run, gallery),
    }


def _map_data(run: RunContents, gallery: Gallery, map_id: str) -> dict[str, Any]:
    densities = np.asarray(run.maps[map_id][gallery.rows["position"].to_numpy()], np.float32)
    trust = run.findings["trust"]
    return {
        "id": map_id,
        "short_verdict": short_verdicts(trust, [map_id])[map_id],
        "verdict": long_verdicts(trust, [map_id])[map_id],
        "grid": list(densities.shape[1:]),
        "bytes": base64_of(quantise(densities, run.density_max)),
        "peak": rounded(densities.max(axis=(1, 2)), 2),
        "scores": _noise_scores(run, gallery, map_id),
    }


def _noise_scores(run: RunContents, gallery: Gallery, map_id: str) -> list[dict[str, Any]]:
    if run.noise is None:
        return []
    table = run.noise[run.noise["map_id"] == map_id].set_index("row_id").reindex(gallery.rows["row_id"])
    return [
        {"key": name, "title": title, "values": rounded(table[name], 3)}
        for name, title in NOISE_SCORES.items()
        if name in table
    ]


def _region_data(run: RunContents, gallery: Gallery) -> list[dict[str, Any]]:
    """A category each: the images that hold it (`rows`), and lists of as many values; those of maps by map id."""
    if run.audit is None:
        return []
    place_of = {row_id: place for place, row_id in enumerate(gallery.rows["row_id"])}
    table = run.audit[run.audit["row_id"].isin(place_of) & run.audit["map_id"].isin(gallery.map_ids)]
    found = []
    for (role, category), own in table.groupby(["role", "category"], sort=True):
        by_map = {map_id: rows.set_index("row_id") for map_id, rows in own.groupby("map_id", sort=False)}
        first = next(iter(by_map.values()))
        row_ids = list(first.index)
        found.append(
            {
                "category": category,
                "role": role,
                "rows": [place_of[row_id] for row_id in row_ids],
                "area": rounded(first["area"], 4),
                "delta_prob": rounded(first["delta_prob"], 4),
                "flip": rounded(first["flip"], 0),
                "maps": {
                    map_id: {
                        "share": rounded(rows.loc[row_ids, "share"], 4),
                        "lift": rounded(rows.loc[row_ids, "lift"], 3),
                        "quadrant": list(rows.loc[row_ids, "quadrant"]),
                    }
                    for map_id, rows in by_map.items()
                },
            }
        )
    return found


def _concept_data(run: RunContents, gallery: Gallery) -> list[dict[str, Any]]:
    """A concept each: the images that hold it (`rows`)."""
    if run.concepts is None:
        return []
    place_of = {row_id: place for place, row_id in enumerate(gallery.rows["row_id"])}
    assigned = run.concepts[run.concepts["is_assigned"]]
    return [
        {
            "number": concept["number"],
            "name": concept["name"],
            "rows": sorted(
                place_of[row_id]
                for row_id in set(assigned.loc[assigned["concept"] == concept["number"], "row_id"])
                if row_id in place_of
            ),
        }
        for concept in run.findings["concepts"]["concepts"]
    ]


def _extent_of(row_id: str, extent: Callable[[str], Extent]) -> Extent:
    return Extent(*(float(side) for side in extent(row_id)))
