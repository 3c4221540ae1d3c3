"""Regions of the discovered concepts as a COCO file, to be corrected in any tool and read back as annotations."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalharness.audit import BoolArray
from evalharness.audit.geometry import turn_upright
from evalharness.config import RunConfig
from evalharness.dataset.placement import place
from evalharness.records import FIRST_TURNED_ORIENTATION, Extent
from evalharness.results import StoredResult

FILE = "concepts.coco.json"
TURNED_BACK = {6: 8, 8: 6}
"""Orientations that undo each other; every other one undoes itself."""


def write_concepts(result: StoredResult, folder: Path) -> tuple[str, ...]:
    """Writes `concepts.coco.json`, if the evaluation found concepts; returns how to read it back.

    Args:
        result: The evaluation.
        folder: Where to.
    """
    found = result.manifest["findings"].get("concepts")
    path = result.folder / "concepts.parquet"
    if not found or not found["concepts"] or not path.is_file():
        return ()
    regions = pd.read_parquet(path)
    document = to_coco(result, regions[regions["is_assigned"]], found["concepts"])
    (folder / FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    roles = {entry["name"]: entry["role"] for entry in found["concepts"] if entry["role"] != "distractor"}
    told = f" 'audit.roles={{{', '.join(f'{name}: {role}' for name, role in roles.items())}}}'" if roles else ""
    return (f"discovered regions are read back with dataset.annotations={folder / FILE}{told}",)


def to_coco(result: StoredResult, regions: pd.DataFrame, concepts: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Regions as a COCO document: masks of whole patches in pixels of the files as stored.

    Args:
        result: The evaluation.
        regions: Rows of `concepts.parquet`.
        concepts: As the manifest keeps them.
    """
    from pycocotools import mask as coco_mask

    rows = result.samples.set_index("row_id")
    grid_size = tuple(result.manifest["provenance"]["model"]["grid_size"])
    config = RunConfig.model_validate(result.manifest["config"])
    entries: list[dict[str, Any]] = []
    numbers = {str(row_id): number for number, row_id in enumerate(rows.index, start=1)}
    for region in regions.to_dict("records"):
        row: Any = rows.loc[region["row_id"]]
        runs = coco_mask.encode(np.asfortranarray(_stored_mask(region, row, grid_size, config), np.uint8))
        entries.append(
            {
                "id": len(entries) + 1,
                "image_id": numbers[str(region["row_id"])],
                "category_id": int(region["concept"]),
                "segmentation": {
                    "size": [int(side) for side in runs["size"]],
                    "counts": runs["counts"].decode("ascii"),
                },
                "bbox": [float(value) for value in coco_mask.toBbox(runs)],
                "area": int(coco_mask.area(runs)),
                "iscrowd": 0,
            }
        )
    images = [
        {"id": numbers[str(row_id)], "file_name": row["path"], "width": int(row["width"]), "height": int(row["height"])}
        for row_id, row in rows.iterrows()
    ]
    categories = [
        {"id": entry["number"], "name": entry["name"], "supercategory": entry["role"]}
        for entry in sorted(concepts, key=lambda entry: int(entry["number"]))
    ]
    return {"images": images, "annotations": entries, "categories": categories}


def _stored_mask(region: Any, row: Any, grid_size: tuple[int, ...], config: RunConfig) -> BoolArray:
    """The region's pixels in the file as stored, (stored height, stored width)."""
    orientation = int(row["exif_orientation"]) if config.dataset.exif == "apply" else 1
    size = (int(row["height"]), int(row["width"]))
    upright = size[::-1] if orientation >= FIRST_TURNED_ORIENTATION else size
    extent = place(upright, config.model.image_size, config.dataset.resize).extent
    patches = np.zeros(grid_size[0] * grid_size[1], np.bool_)
    patches[np.asarray(region["patches"], int)] = True
    mask = pixels_of_patches(patches.reshape(grid_size), upright, extent)
    return np.asarray(turn_upright(mask, TURNED_BACK.get(orientation, orientation)), np.bool_)


def pixels_of_patches(patches: BoolArray, size: tuple[int, int], extent: Extent) -> BoolArray:
    """The pixels of an upright photo (height, width) whose centres lie in some patches of the model's input.

    Args:
        patches: (grid rows, grid columns)
        size: (height, width) of the photo.
        extent: The part of the model's input that the photo spans.
    """
    places = []
    for pixels, count, start, stop in zip(
        size, patches.shape, (extent.top, extent.left), (extent.bottom, extent.right), strict=True
    ):
        centres = start + (np.arange(pixels) + 0.5) * (stop - start) / pixels
        # What was cropped away lies in no patch: -1 is padded below.
        index = np.floor(centres * count).astype(int)
        places.append(np.where((index >= 0) & (index < count), index, -1))
    padded = np.pad(patches, ((0, 1), (0, 1)))
    covered: BoolArray = padded[np.ix_(places[0], places[1])]
    return covered
