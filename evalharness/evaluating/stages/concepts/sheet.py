"""Crops of every concept: a strip each for the report's cards, and the sheet of all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from evalharness.audit.hot_regions import crop_box
from evalharness.evaluating.album import Album
from evalharness.evaluating.stages.concepts.labels import describe_labels
from evalharness.records import UInt8Array
from evalharness.report.concept_sheet import ConceptStrip, draw_concept_sheet
from evalharness.report.overlay import overlay

NUM_CROPS = 12
SIDE = 104
"""Pixels of a crop."""
GAP = 4
MARGIN = 0.35
"""Around a region, in parts of its size."""
SMALLEST_CROP = 0.3
"""Least side, as part of the photo's shorter side."""
JPEG_QUALITY = 82
MAX_ON_SHEET = 10


def draw_cards(album: Album, map_id: str, table: pd.DataFrame, concepts: Sequence[Mapping[str, Any]]) -> None:
    """Writes `concepts/<number>.jpg` of each concept and `concepts.png` with the first of them.

    A strip has crops of the claiming half, each photo once, those with most of the map first; below each is the same
    crop under the map, on the fixed scale.

    Args:
        album: Of the evaluation.
        map_id: Of the map.
        table: `concepts.parquet`.
        concepts: As the manifest keeps them, in the order of the sheet.
    """
    if not concepts:
        return
    folder = album.folder / "concepts"
    folder.mkdir(parents=True, exist_ok=True)
    strips = []
    for concept in concepts:
        strip = _strip(album, map_id, choose_crops(table, concept["number"]))
        if strip is not None:
            Image.fromarray(strip).save(folder / f"{concept['number']}.jpg", quality=JPEG_QUALITY)
            strips.append(ConceptStrip(strip, *_captions(concept)))
    if strips:
        shown = strips[:MAX_ON_SHEET]
        counted = f"{len(shown)} of {len(concepts)} concepts, harmful first, objects last"
        title = f"What {map_id} lights up again and again: {counted}"
        album.save("concepts", draw_concept_sheet(shown, title=title))


def choose_crops(table: pd.DataFrame, number: int) -> pd.DataFrame:
    """The regions of a concept that are shown: of the claiming half, one a photo, those with most of the map first."""
    own = table[(table["concept"] == number) & table["is_assigned"] & (table["split"] == "claim")]
    ordered = own.sort_values(["share", "row_id"], ascending=[False, True]).drop_duplicates("row_id")
    return ordered.head(NUM_CROPS)


def _strip(album: Album, map_id: str, rows: pd.DataFrame) -> UInt8Array | None:
    """Two rows of square crops: the photo, and the photo under its map; None without any."""
    if rows.empty:
        return None
    width = NUM_CROPS * (SIDE + GAP) - GAP
    strip = np.full((2 * SIDE + GAP, width, 3), 255, np.uint8)
    for place, row in enumerate(rows.to_dict("records")):
        row_id = str(row["row_id"])
        photo = album.session.photos.load_photo(row_id)
        covered = overlay(
            photo,
            album.density(row_id, map_id),
            density_max=album.config.density_max,
            extent=album.session.photos.extent(row_id),
        )
        box = (float(row["top"]), float(row["bottom"]), float(row["left"]), float(row["right"]))
        left = place * (SIDE + GAP)
        for line, picture in enumerate((photo, covered)):
            top = line * (SIDE + GAP)
            strip[top : top + SIDE, left : left + SIDE] = _crop(picture, box)
    return strip


def _crop(photo: UInt8Array, box: tuple[float, float, float, float]) -> UInt8Array:
    top, bottom, left, right = crop_box(box, (photo.shape[0], photo.shape[1]), margin=MARGIN, smallest=SMALLEST_CROP)
    crop = Image.fromarray(np.ascontiguousarray(photo[top:bottom, left:right]))
    return np.asarray(ImageOps.pad(crop, (SIDE, SIDE), color="white"), np.uint8)


def _captions(concept: Mapping[str, Any]) -> tuple[str, str]:
    cell = concept["shortcut"] or concept["strongest"]
    kind = "HARMFUL" if concept["is_harmful"] else concept["role"]
    pull = "too few photos of other classes to be tested"
    if cell is not None:
        is_tested = cell["is_significant"] is not None
        proof = f"p = {cell['p_value']:.2g} after Holm" if is_tested else "not tested: no such pull in the other half"
        pull = f"largest pull: {cell['pull']['value']:+.3f} to {cell['class_name']}, {proof}"
    photos = "1 photo" if concept["num_photos"] == 1 else f"{concept['num_photos']} photos"
    return (
        f"{concept['name']} ({kind}): {pull}",
        f"in {photos} ({concept['frequency']:.0%}): {describe_labels(concept['label_parts'])}",
    )
