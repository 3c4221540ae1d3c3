"""Boxes in a CSV: `path,category,x,y,width,height`."""

import csv
import io
from collections import defaultdict
from pathlib import Path

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error, read_text
from evalharness.annotations.shapes import Box, Shape, Size
from evalharness.errors import DatasetError

COLUMNS = ("path", "category", "x", "y", "width", "height")
SIZE_COLUMNS = ("image_width", "image_height")
FIX = "Correct these lines: x, y, width and height are numbers, in pixels of the file as stored."


def read_boxes_csv(path: Path) -> Parsed:
    """Reads a row per box.

    `x, y` is the upper left corner, in pixels of the file as stored. The optional columns `image_width, image_height`
    are compared with the image; other columns are not read. A row with a path and nothing in the other five columns is
    an image that was looked at and has no region.

    Args:
        path: The CSV file, in UTF-8.

    Raises:
        DatasetError: A column is missing, or lines cannot be read; all are listed.
    """
    rows = csv.DictReader(io.StringIO(read_text(path)))
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise DatasetError(
            "the annotations cannot be read",
            expected=f"the columns {','.join(COLUMNS)}",
            got=f"{','.join(rows.fieldnames or ()) or 'an empty file'} (without {', '.join(missing)})",
            where=path,
        )
    shapes: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    sizes: dict[str, Size | None] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for row in rows:
        cells = {name: (row.get(name) or "").strip() for name in (*COLUMNS, *SIZE_COLUMNS)}
        name = cells["path"]
        try:
            size, boxes = _read_size(cells), _read_box(cells)
        except ValueError as error:
            faults.append(f"line {rows.line_num}: {error}")
            continue
        if sizes.setdefault(name, size) != size:
            faults.append(f"line {rows.line_num}: another image size than in line {lines[name]}")
        lines.setdefault(name, rows.line_num)
        shapes[name] += boxes
    if faults:
        raise faults_error(f"{len(faults)} lines of {path} cannot be used", faults, FIX)
    return Parsed(
        tuple(ParsedImage(name, f"line {lines[name]}", tuple(found), sizes[name]) for name, found in shapes.items())
    )


def _read_box(cells: dict[str, str]) -> list[tuple[str, Shape]]:
    if not cells["path"]:
        raise ValueError("the path is empty")
    if not any(cells[name] for name in COLUMNS[1:]):
        return []
    if not cells["category"]:
        raise ValueError("the category is empty")
    numbers = []
    for name in COLUMNS[2:]:
        try:
            numbers.append(float(cells[name]))
        except ValueError:
            raise ValueError(f"{name} is {cells[name]!r}, not a number") from None
    x, y, width, height = numbers
    return [(cells["category"], Box(x, y, width, height))]


def _read_size(cells: dict[str, str]) -> Size | None:
    if not all(cells[name] for name in SIZE_COLUMNS):
        return None
    try:
        return int(cells["image_height"]), int(cells["image_width"])
    except ValueError:
        raise ValueError("image_width or image_height is not a whole number") from None
