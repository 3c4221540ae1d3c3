"""Boxes in a CSV: `path,category,x,y,width,height`."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.annotations.parsed import Parsed, ParsedImage, Tally, faults_error, list_some, read_text
from evalharness.annotations.shapes import Box, Shape, Size
from evalharness.csv_records import SEPARATORS, RecordError, find_separator, is_hint, read_header, read_records
from evalharness.errors import DatasetError

COLUMNS = ("path", "category", "x", "y", "width", "height")
SIZE_COLUMNS = ("image_width", "image_height")
MAX_HEADER = 1000
"""Characters of a header in a message."""
FIX = "Correct these lines: x, y, width and height are numbers, in pixels of the file as stored."
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells of the columns that count, by line."""

    rows: tuple[tuple[int, dict[str, str]], ...]
    separator: str


def read_boxes_csv(path: Path) -> Parsed:
    """Reads a row per box.

    `x, y` is the upper left corner, in pixels of the file as stored. The optional columns `image_width, image_height`
    are compared with the image; other columns are not read. A row with a path and nothing in the other five columns is
    an image that was looked at and has no region; a row without any content is passed over. Spaces around cells do not
    count. Cells may be separated as spreadsheets of other countries do, with decimal commas.

    Args:
        path: The CSV file, in UTF-8.

    Raises:
        DatasetError: Not a table, a column is missing, or lines cannot be read; all are listed.
    """
    faults: list[str] = []
    tally = Tally()
    table = _read_table(path, faults, tally)
    rows = _replace_decimal_commas(table, path, tally)
    shapes: dict[str, list[tuple[str, Shape]]] = defaultdict(list)
    sizes: dict[str, Size | None] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        try:
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
    used = f"Cells of {path} were separated at {SEPARATORS[table.separator]}."
    return Parsed(
        tuple(ParsedImage(name, f"line {lines[name]}", tuple(found), sizes[name]) for name, found in shapes.items()),
        (*([used] if table.separator != "," else []), *tally.notes),
    )


def _read_table(path: Path, faults: list[str], tally: Tally) -> _Table:
    """Separates the cells in the only way that gives the columns; adds to the faults."""
    text = read_text(path)
    fits = find_separator(text, path, lambda names: set(COLUMNS) <= set(_lowered(names)))
    separator = fits or ","
    header = _lowered(read_header(text, separator))
    _check_header(header, path)
    rows = []
    try:
        records = list(read_records(text, separator, skip_spaces=True))
    except RecordError as error:
        raise DatasetError(
            f"the annotations cannot be read: {error}",
            where=f"{path}, from line {error.line}",
            fix=f"Look for a quotation mark that is never closed, and separate the cells by {SEPARATORS[separator]}",
        ) from error
    for line, row in _below_header(records):
        if not any(cell.strip() for cell in row):
            tally.add("row", "without any content passed over", f"line {line}")
            continue
        try:
            rows.append((line, _name_cells(header, row)))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
    return _Table(tuple(rows), separator)


def _lowered(names: Iterable[str]) -> list[str]:
    return [name.lower() for name in names]


def _below_header(records: Iterable[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    found = [(line, row) for line, row in records if not is_hint(row)]
    first = next(number for number, (_, row) in enumerate(found) if any(cell.strip() for cell in row))
    return found[first + 1 :]


def _check_header(header: Sequence[str], path: Path) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DatasetError(
            "the annotations cannot be read",
            expected=f"the columns {','.join(COLUMNS)}",
            got=f"{_shorten(','.join(header)) or 'an empty file'} (without {', '.join(missing)})",
            where=path,
            fix="The header is a single cell: separate the cells by commas" if len(header) == 1 else None,
        )
    repeated = [name for name in (*COLUMNS, *SIZE_COLUMNS) if header.count(name) > 1]
    if repeated:
        raise DatasetError(
            "the annotations cannot be read",
            expected="each column once",
            got=f"{', '.join(repeated)} more than once",
            where=path,
            fix="Rename the one that is not meant",
        )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_HEADER else f"{text[:MAX_HEADER]}..."


def _name_cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if any(cell.strip() for cell in row[len(header) :]):
        raise ValueError(f"it has {len(row)} cells, the header {len(header)}; quote cells that contain a separator")
    # The cells that a short row lacks are empty.
    found = dict(zip(header, row, strict=False))
    cells = {name: found.get(name, "").strip() for name in (*COLUMNS, *SIZE_COLUMNS)}
    for name, cell in cells.items():
        if "\0" in cell:
            raise ValueError(f"the {name} {cell!r} contains a NUL character")
    return cells


def _replace_decimal_commas(table: _Table, path: Path, tally: Tally) -> list[tuple[int, dict[str, str]]]:
    """Numbers with a decimal comma, where something in the file tells it from a comma between thousands.

    Raises:
        DatasetError: Nothing does.
    """
    numbers = [name for name in (*COLUMNS, *SIZE_COLUMNS) if name not in ("path", "category")]
    with_comma = [
        (line, name, cells[name])
        for line, cells in table.rows
        for name in numbers
        if _DECIMAL_COMMA.fullmatch(cells[name])
    ]
    if not with_comma:
        return list(table.rows)
    if all(_MAYBE_THOUSANDS.fullmatch(cell) for _, _, cell in with_comma):
        found = list_some([f"{cell} (line {line}, {name})" for line, name, cell in with_comma])
        raise DatasetError(
            "the numbers can be read in two ways",
            expected="a decimal point",
            got=f"{found}: a decimal comma, or one between thousands",
            where=path,
            fix="Write decimals with a point and thousands without a comma",
        )
    for line, name, cell in with_comma:
        tally.add("number", "with a comma, read as a decimal comma", f"{cell} (line {line}, {name})")
    return [
        (
            line,
            cells | {name: cells[name].replace(",", ".") for name in numbers if _DECIMAL_COMMA.fullmatch(cells[name])},
        )
        for line, cells in table.rows
    ]


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
        if not math.isfinite(numbers[-1]):
            raise ValueError(f"{name} is {cells[name]!r}, which is not finite")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise ValueError(f"its box has a negative side ({width:g} x {height:g})")
    return [(cells["category"], Box(x, y, width, height))]


def _read_size(cells: dict[str, str]) -> Size | None:
    if not all(cells[name] for name in SIZE_COLUMNS):
        return None
    height, width = (_read_pixels(cells[name]) for name in reversed(SIZE_COLUMNS))
    return height, width


def _read_pixels(cell: str) -> int:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not number.is_integer():
        raise ValueError("image_width or image_height is not a whole number")
    return int(number)
