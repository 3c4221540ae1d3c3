"""Reads the dataset CSV: every cell as the text that is written there."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalharness.csv_records import RecordError, read_records
from evalharness.errors import DatasetError

OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MAX_LISTED_LINES = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One record of the CSV."""

    line: int
    """Where the record starts, counted from 1, the header being line 1."""
    cells: Mapping[str, str]
    """By column name, verbatim."""


@dataclass(frozen=True, slots=True)
class Table:
    """A whole CSV file."""

    csv: Path
    sha256: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Reads a comma-separated file in UTF-8, with or without a byte order mark.

    Nothing is interpreted: `NA`, `null`, `007` and empty cells stay the text that they are.

    Args:
        path: The CSV file.

    Raises:
        DatasetError: The file is missing, unreadable, empty, not UTF-8, or not a table.
    """
    content = _read_content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(
            "the dataset CSV cannot be read",
            expected="text in UTF-8",
            got=f"the byte 0x{content[error.start]:02x} at offset {error.start:,}",
            where=f"{path}, dataset.csv",
            fix="Save it as UTF-8 (in Excel: `CSV UTF-8`)",
        ) from error
    try:
        records = list(read_records(text))
    except RecordError as error:
        raise DatasetError(
            f"the dataset CSV cannot be read: {error}",
            where=f"{path}, dataset.csv",
            fix="Look for a quotation mark that is never closed",
        ) from error
    if not records:
        raise DatasetError("the dataset CSV is empty", where=f"{path}, dataset.csv", fix="Write a header line and rows")
    columns = tuple(name.strip() for name in records[0][1])
    _check_header(path, columns)
    rows = _name_cells(path, columns, records[1:])
    return Table(csv=path, sha256=hashlib.sha256(content).hexdigest(), columns=columns, rows=rows)


def foreign_delimiter(columns: tuple[str, ...]) -> str | None:
    """Names the delimiter that a header of a single column seems to be written with, if not commas."""
    if len(columns) != 1:
        return None
    return next((name for mark, name in OTHER_DELIMITERS.items() if mark in columns[0]), None)


def _read_content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(
            "the dataset CSV is missing", expected="a file", got=f"no file at {path}", where="dataset.csv"
        ) from error
    except OSError as error:
        raise DatasetError(
            f"the dataset CSV cannot be read: {error.strerror or error}", where=f"{path}, dataset.csv"
        ) from error


def _check_header(path: Path, columns: tuple[str, ...]) -> None:
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        raise DatasetError(
            "the header of the dataset CSV",
            expected="distinct column names",
            got=f"{', '.join(map(repr, repeated))} more than once",
            where=f"{path}, line 1",
        )


def _name_cells(path: Path, columns: tuple[str, ...], records: list[tuple[int, list[str]]]) -> tuple[Row, ...]:
    ragged = [(line, len(cells)) for line, cells in records if len(cells) != len(columns)]
    if ragged:
        listed = ", ".join(f"line {line} has {count}" for line, count in ragged[:MAX_LISTED_LINES])
        more = len(ragged) - MAX_LISTED_LINES
        raise DatasetError(
            "rows of the dataset CSV",
            expected=f"{len(columns)} cells in each, as in the header",
            got=listed + (f" and {more:,} more lines differ too" if more > 0 else ""),
            where=path,
            fix='Put cells that contain a comma in "quotation marks"',
        )
    return tuple(Row(line, dict(zip(columns, cells, strict=True))) for line, cells in records)
