"""Ground-truth masks as a COCO file."""

from collections.abc import Iterable, Sequence

import numpy as np

from evalharness.example.scenes import BoolArray, VisibleObject


def coco_document(
    photos: Iterable[tuple[str, tuple[int, int], Sequence[VisibleObject]]], categories: Sequence[str]
) -> dict[str, object]:
    """The annotations of all photos in COCO's object detection format.

    Args:
        photos: File name, (width, height) in pixels and visible objects of each photo.
        categories: Names of all categories; ids count from 1 in this order.
    """
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    ids = {name: number for number, name in enumerate(categories, start=1)}
    for image_id, (file_name, (width, height), objects) in enumerate(photos, start=1):
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for item in objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": ids[item.category],
                    "segmentation": encode_mask(item.mask),
                    "bbox": bounding_box(item.mask),
                    "area": int(item.mask.sum()),
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"description": "Drawn flowers and animals with exact masks"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
    }


def encode_mask(mask: BoolArray) -> dict[str, list[int]]:
    """COCO's uncompressed run lengths: down the columns, alternating, the first run outside the mask."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]]))
    lead = [0] if flat[0] else []
    return {"size": list(mask.shape), "counts": [*lead, *counts.tolist()]}


def bounding_box(mask: BoolArray) -> list[int]:
    """(x, y, width, height) in pixels of the smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]
