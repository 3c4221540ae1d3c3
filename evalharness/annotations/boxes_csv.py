"""Boxes in a CSV: `path,category,x,y,width,height`."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error, read_text
from evalharness.annotations.shapes import Box, Shape, Size
from evalharness.csv_records import RecordError, read_records
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
        DatasetError: Not a table, a column is missing, or lines cannot be read; all are listed.
    """
    try:
        records = list(read_records(read_text(path)))
    except RecordError as error:
        raise DatasetError(
            f"the annotations cannot be read: {error}",
            where=f"{path}, from line {error.line}",
            fix="Look for a quotation mark that is never closed, and separate the cells by commas",
        ) from error
    header = records[0][1] if records else []
    _check_header(header, path)
    shapes: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    sizes: dict[str, Size | None] = {}
    lines: dict[str, int] = {}
    faults: list[str] = []
    for line, row in records[1:]:
        try:
            cells = _name_cells(header, row)
            size, boxes = _read_size(cells), _read_box(cells)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            continue
        name = cells["path"]
        if sizes.setdefault(name, size) != size:
            faults.append(f"line {line}: another image size than in line {lines[name]}")
        lines.setdefault(name, line)
        shapes[name] += boxes
    if faults:
        raise faults_error(f"{len(faults)} lines of {path} cannot be used", faults, FIX)
    return Parsed(
        tuple(ParsedImage(name, f"line {lines[name]}", tuple(found), sizes[name]) for name, found in shapes.items())
    )


def _check_header(header: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DatasetError(
            "the annotations cannot be read",
            expected=f"the columns {','.join(COLUMNS)}",
            got=f"{','.join(header) or 'an empty file'} (without {', '.join(missing)})",
            where=path,
            fix="The header is a single cell: separate the cells by commas" if len(header) == 1 else None,
        )


def _name_cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) > len(header):
        raise ValueError(f"it has {len(row)} cells, the header {len(header)}; quote cells that contain a comma")
    # The cells that a short row lacks are empty.
    found = dict(zip(header, row, strict=False))
    cells = {name: found.get(name, "").strip() for name in (*COLUMNS, *SIZE_COLUMNS)}
    for name, cell in cells.items():
        if "\0" in cell:
            raise ValueError(f"the {name} {cell!r} contains a NUL character")
    return cells


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
