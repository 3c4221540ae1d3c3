"""Images of which exactly one of two runs is right, as the page's script takes them: verdicts, maps and photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalharness.records import WHOLE, FloatArray
from evalharness.report.html.comparison_contents import ComparisonContents, RunMaps
from evalharness.report.html.map_verdicts import short_verdicts
from evalharness.report.html.packed_maps import base64_of, choose_maps, map_chars, palette, quantise
from evalharness.report.html.rendering import rounded
from evalharness.report.html.thumbnails import Thumbnail, make_thumbnails, plan_photos

CHARS_PER_ROW = 300
"""Of everything but maps and photo, roughly."""


@dataclass(frozen=True, slots=True)
class FlipGallery:
    """The flips that a page shows."""

    rows: pd.DataFrame
    """Of `flips.csv`, in its order."""
    map_ids: tuple[str, ...]
    left_out_maps: tuple[str, ...]
    """For want of room."""
    thumbnails: Mapping[str, Thumbnail | None]
    """By row id; None where the photo is gone."""
    num_all: int
    """Flips of the comparison."""

    @property
    def note(self) -> str:
        """What is not shown, in plain words; empty where all is."""
        parts = []
        if len(self.rows) < self.num_all:
            parts.append(
                f"To stay small, this page shows {len(self.rows):,} of {self.num_all:,} flips, those with the largest "
                f"change of the true class's probability; {self.num_all - len(self.rows):,} are left out "
                "(flips.csv lists all). All numbers are of all images."
            )
        if self.left_out_maps:
            parts.append(f"To stay small, this page leaves out the maps {', '.join(self.left_out_maps)}.")
        num_gone = sum(found is None for found in self.thumbnails.values())
        if num_gone:
            parts.append(
                f"{num_gone:,} of {len(self.thumbnails):,} photos could not be read, or have changed since the runs: "
                "their maps are shown without a photo."
            )
        return " ".join(parts)


def gather_flips(contents: ComparisonContents, budget: float) -> FlipGallery:
    """Chooses flips, maps and the size of photos so that all fit into so many characters."""
    flips = contents.flips
    map_ids = list(contents.manifest["map_ids"])
    if flips.empty:
        return FlipGallery(flips, (), (), {}, 0)
    photo_ids = list(dict.fromkeys(flips["row_id"]))
    plan = plan_photos(photo_ids, contents.load_photo)
    chars = {map_id: _chars_of_both(contents.runs, map_id) for map_id in map_ids}
    kept = choose_maps(chars, len(flips), budget)
    each = CHARS_PER_ROW + sum(chars[map_id] for map_id in kept)
    # Several runs may flip the same image, whose photo is there once.
    rows = choose_flips(flips, int(budget // (each + plan.least_chars * len(photo_ids) / len(flips))))
    shown_ids = list(dict.fromkeys(rows["row_id"]))
    for_photos = budget - len(rows) * each
    step = plan.step(len(shown_ids), for_photos)
    thumbnails = make_thumbnails(shown_ids, contents.load_photo, step, for_photos)
    return FlipGallery(
        rows=rows,
        map_ids=tuple(kept),
        left_out_maps=tuple(map_id for map_id in map_ids if map_id not in kept),
        thumbnails=dict(zip(shown_ids, thumbnails, strict=True)),
        num_all=len(flips),
    )


def choose_flips(flips: pd.DataFrame, most: int) -> pd.DataFrame:
    """All flips, or those with the largest change of the true class's probability; in their order."""
    if len(flips) <= most:
        return flips.reset_index(drop=True)
    return flips.loc[sorted(by_change(flips)[: max(1, most)])].reset_index(drop=True)


def by_change(flips: pd.DataFrame) -> list[int]:
    """Index labels of the flips, the largest change of the true class's probability first."""
    change = (flips["true_prob"] - flips["reference_true_prob"]).abs()
    return list(change.sort_values(ascending=False, kind="stable").index)


def flip_data(contents: ComparisonContents, gallery: FlipGallery) -> dict[str, Any]:
    """Everything but the photos, as plain values by column: a list has an entry per shown flip."""
    rows = gallery.rows
    classes, names = list(contents.manifest["classes"]), contents.run_names
    index_of = {name: index for index, name in enumerate(classes)}
    place_of = {row_id: place for place, row_id in enumerate(contents.tables["predictions"]["row_id"])}
    photo_of = {row_id: place for place, row_id in enumerate(gallery.thumbnails)}
    thumbnails = [gallery.thumbnails[row_id] for row_id in rows["row_id"]]
    return {
        "classes": classes,
        "runs": names,
        "density_max": contents.density_max,
        "palette": base64_of(palette()),
        "ids": list(rows["row_id"]),
        "positions": [place_of[row_id] for row_id in rows["row_id"]],
        "photos": [photo_of[row_id] for row_id in rows["row_id"]],
        "pairs": [names.index(name) - 1 for name in rows["run"]],
        "places": [int(place) for place in rows.groupby("run", sort=False).cumcount()],
        "broken": [int(kind == "broken") for kind in rows["kind"]],
        "labels": [index_of[name] for name in rows["label"]],
        "before_preds": [index_of[name] for name in rows["reference_pred_label"]],
        "now_preds": [index_of[name] for name in rows["pred_label"]],
        "before_confidence": rounded(rows["reference_confidence"], 4),
        "now_confidence": rounded(rows["confidence"], 4),
        "before_true": rounded(rows["reference_true_prob"], 4),
        "now_true": rounded(rows["true_prob"], 4),
        "aspects": [
            round(thumbnail.aspect if thumbnail else contents.aspect(row_id), 4)
            for thumbnail, row_id in zip(thumbnails, rows["row_id"], strict=True)
        ],
        "maps": [_map_data(contents, rows, map_id) for map_id in gallery.map_ids],
    }


def _map_data(contents: ComparisonContents, rows: pd.DataFrame, map_id: str) -> dict[str, Any]:
    """Layers: the reference's maps of every flip, then each run's of its own."""
    reference, *others = contents.runs
    column = f"similarity.{map_id}"
    own = [list(rows[rows["run"] == run.name]["row_id"]) for run in others]
    return {
        "id": map_id,
        "short_verdicts": [
            short_verdicts(run.manifest["findings"]["trust"], [map_id])[map_id] for run in contents.runs
        ],
        "similarity": rounded(rows[column], 3) if column in rows else None,
        "layers": [
            _layer(run, map_id, row_ids, contents.density_max) if row_ids else None
            for run, row_ids in zip((reference, *others), (list(rows["row_id"]), *own), strict=True)
        ],
    }


def _layer(run: RunMaps, map_id: str, row_ids: Sequence[str], density_max: float) -> dict[str, Any]:
    densities: FloatArray = np.asarray(run.load(map_id, row_ids), np.float32)
    extents = [run.extent(row_id) for row_id in row_ids]
    return {
        "grid": list(densities.shape[1:]),
        "bytes": base64_of(quantise(densities, density_max)),
        "extents": None if all(found == WHOLE for found in extents) else [rounded(found, 5) for found in extents],
    }


def _chars_of_both(runs: Sequence[RunMaps], map_id: str) -> float:
    """Characters that one flip's two maps take."""
    reference, *others = (map_chars(run.load(map_id, [])) for run in runs)
    return reference + max(others)
