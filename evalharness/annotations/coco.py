"""COCO JSON: boxes, polygons and run lengths, both compressed and not."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error, read_text
from evalharness.annotations.shapes import Box, Polygons, Shape, ShapeError, Size, from_compressed, from_counts
from evalharness.errors import DatasetError

FIX = "Correct these entries, or export the annotations again."


def read_coco(path: Path) -> Parsed:
    """Reads `images`, `categories` and `annotations` of a COCO file.

    An annotation's `segmentation` counts, if it has one that is not empty, else its `bbox`. Crowds (`iscrowd`) are
    regions like any other. Coordinates are pixels of the file as stored.

    Args:
        path: The JSON file.

    Raises:
        DatasetError: Not a COCO file, or entries that contradict each other; all are listed.
    """
    content = _load(path)
    faults: list[str] = []
    categories = {entry.get("id"): str(entry["name"]) for entry in content["categories"] if entry.get("name")}
    sizes = {entry.get("id"): _read_size(entry) for entry in content["images"]}
    shapes: dict[Any, list[tuple[str, Shape]]] = {image_id: [] for image_id in sizes}
    for entry in content["annotations"]:
        where = f"annotation {entry.get('id')}"
        if entry.get("image_id") not in sizes:
            faults.append(f"{where}: image_id {entry.get('image_id')!r} is not among the images")
        elif entry.get("category_id") not in categories:
            faults.append(f"{where}: category_id {entry.get('category_id')!r} has no name among the categories")
        else:
            try:
                shape = _read_shape(entry, sizes[entry["image_id"]])
                shapes[entry["image_id"]].append((categories[entry["category_id"]], shape))
            except (ShapeError, TypeError, ValueError) as error:
                faults.append(f"{where}: {error}")
    by_name: dict[str, ParsedImage] = {}
    for entry in content["images"]:
        name, image_id = entry.get("file_name"), entry.get("id")
        if not isinstance(name, str) or not name:
            faults.append(f"image {image_id}: file_name is missing")
        elif name in by_name:
            faults.append(f"image {image_id}: file_name {name!r} is also that of {by_name[name].where}")
        else:
            by_name[name] = ParsedImage(name, f"image {image_id}", tuple(shapes[image_id]), sizes[image_id])
    if faults:
        raise faults_error(f"{len(faults)} entries of {path} cannot be used", faults, FIX)
    return Parsed(tuple(by_name.values()))


def _load(path: Path) -> dict[str, list[dict[str, Any]]]:
    expected = "a COCO file: an object with the lists `images`, `annotations` and `categories`"
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise DatasetError("the annotations cannot be read", expected=expected, got=error, where=path) from error
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DatasetError("the annotations cannot be read", expected=expected, got=f"no list {key!r}", where=path)
    return dict(content)


def _read_size(image: Mapping[str, Any]) -> Size | None:
    height, width = image.get("height"), image.get("width")
    return (int(height), int(width)) if height and width else None


def _read_shape(entry: Mapping[str, Any], size: Size | None) -> Shape:
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        return _read_runs(segmentation, size)
    if segmentation:
        rings = segmentation if isinstance(segmentation[0], list | tuple) else [segmentation]
        return Polygons(tuple(tuple(float(number) for number in ring) for ring in rings))
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise ShapeError("it has neither a segmentation nor a bbox of four numbers")
    x, y, width, height = (float(number) for number in box)
    return Box(x, y, width, height)


def _read_runs(segmentation: Mapping[str, Any], image_size: Size | None) -> Shape:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int and side > 0 for side in size)):
        raise ShapeError(f"its run lengths have the size {size!r}, not [height, width]")
    if image_size is not None and tuple(size) != image_size:
        raise ShapeError(f"its run lengths have the size {size}, its image [{image_size[0]}, {image_size[1]}]")
    if isinstance(counts, str):
        return from_compressed(counts, (size[0], size[1]))
    if isinstance(counts, list):
        return from_counts(counts, (size[0], size[1]))
    raise ShapeError("its run lengths have no counts")
