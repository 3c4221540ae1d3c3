"""COCO JSON: boxes, polygons and run lengths, both compressed and not."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error, read_text
from evalharness.annotations.shapes import Box, Polygons, Shape, ShapeError, Size, from_compressed, from_counts
from evalharness.errors import DatasetError

MAX_SHOWN = 60
"""Characters of a value in a message."""
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
    categories = _read_categories(content["categories"], faults)
    sizes = _read_sizes(content["images"], faults)
    shapes: dict[Any, list[tuple[str, Shape]]] = {image_id: [] for image_id in sizes}
    for entry in content["annotations"]:
        where = f"annotation {_show(entry.get('id'))}"
        image_id, category_id = entry.get("image_id"), entry.get("category_id")
        if not _is_id(image_id) or image_id not in sizes:
            faults.append(f"{where}: image_id {_show(image_id)} is not among the images")
        elif not _is_id(category_id) or category_id not in categories:
            faults.append(f"{where}: category_id {_show(category_id)} has no name among the categories")
        else:
            try:
                shapes[image_id].append((categories[category_id], _read_shape(entry, sizes[image_id])))
            except (ShapeError, TypeError, ValueError, OverflowError) as error:
                faults.append(f"{where}: {error}")
    by_name: dict[str, ParsedImage] = {}
    for entry in content["images"]:
        name, image_id = entry.get("file_name"), entry.get("id")
        if not _is_id(image_id):
            continue
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
    except (ValueError, RecursionError) as error:
        raise DatasetError("the annotations cannot be read", expected=expected, got=error, where=path) from error
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DatasetError("the annotations cannot be read", expected=expected, got=f"no list {key!r}", where=path)
    return dict(content)


def _read_categories(entries: Sequence[Mapping[str, Any]], faults: list[str]) -> dict[Any, str]:
    """Names by id; adds to the faults."""
    names: dict[Any, str] = {}
    for entry in entries:
        name, category_id = entry.get("name"), entry.get("id")
        if not name:
            continue
        if not _is_id(category_id):
            faults.append(f"category {_show(name)}: its id is {_show(category_id)}, not a number or text")
        elif "\0" in str(name):
            faults.append(f"category {_show(name)}: its name contains a NUL character")
        else:
            names[category_id] = str(name)
    return names


def _read_sizes(entries: Sequence[Mapping[str, Any]], faults: list[str]) -> dict[Any, Size | None]:
    """Sizes of the images by id, None where the file does not say; adds to the faults."""
    sizes: dict[Any, Size | None] = {}
    for number, entry in enumerate(entries, start=1):
        image_id = entry.get("id")
        if not _is_id(image_id):
            name = _show(entry.get("file_name"))
            faults.append(f"image {name} (entry {number}): its id is {_show(image_id)}, not a number or text")
            continue
        height, width = entry.get("height"), entry.get("width")
        sizes[image_id] = None
        if height and width:
            try:
                sizes[image_id] = int(height), int(width)
            except (TypeError, ValueError, OverflowError):
                got = f"height {_show(height)} and width {_show(width)}"
                faults.append(f"image {image_id}: {got} are not numbers of pixels")
    return sizes


def _is_id(value: object) -> bool:
    return isinstance(value, int | float | str)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _read_shape(entry: Mapping[str, Any], size: Size | None) -> Shape:
    segmentation = entry.get("segmentation")
    if isinstance(segmentation, dict):
        return _read_runs(segmentation, size)
    if segmentation and not isinstance(segmentation, list):
        raise ShapeError(f"its segmentation is {_show(segmentation)}, neither polygons nor run lengths")
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
