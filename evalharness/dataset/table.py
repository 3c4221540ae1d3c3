"""Reads the dataset CSV: every cell as the text that is written there."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.csv_records import SEPARATORS, RecordError, find_separator, is_hint, read_header, read_records
from evalharness.dataset.spreadsheets import encoding_of, pass_over_empty
from evalharness.errors import DatasetError

MAX_LISTED_LINES = 20
MAX_LISTED_COLUMNS = 20
MAX_SHOWN = 200
"""Characters of a column's name in a message."""


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
    remarks: tuple[str, ...] = ()
    """What a person should know of how it was read, with counts."""


def read_table(path: Path, has_columns: Callable[[list[str]], bool] = lambda names: len(names) > 1) -> Table:
    """Reads a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Nothing is interpreted: `NA`, `null`, `007` and empty cells stay the text that they are. Rows and columns without
    any text, and repeated headers, are passed over. Cells are separated by commas, or by what alone gives the columns.

    Args:
        path: The CSV file.
        has_columns: Whether a header has the columns that are needed.

    Raises:
        DatasetError: The file is missing, unreadable, empty, in another encoding, not a table, or two separators give
            the columns.
    """
    content = _read_content(path)
    encoding = encoding_of(content)
    text = _decode(content, encoding, path)
    _check_text(text, path)
    separator = _tell_separator(text, has_columns, path)
    try:
        records = list(read_records(text, separator, skip_spaces=_quotes_after_spaces(text, separator)))
    except RecordError as error:
        raise DatasetError(
            f"the dataset CSV cannot be read: {error}",
            where=f"{path}, dataset.csv",
            fix="Look for a quotation mark that is never closed",
        ) from error
    if records and is_hint(records[0][1]):
        del records[0]
    header = next((record for record in records if any(cell.strip() for cell in record[1])), None)
    if header is None:
        raise DatasetError("the dataset CSV is empty", where=f"{path}, dataset.csv", fix="Write a header line and rows")
    records.remove(header)
    cleaned = pass_over_empty([name.strip() for name in header[1]], records)
    columns = tuple(cleaned.header)
    _check_header(columns, f"{path}, line {header[0]}")
    rows = _name_cells(path, columns, cleaned.records)
    remarks = [] if encoding.startswith("utf-8") else [f"read as {encoding.upper()}"]
    if separator != ",":
        remarks.append(f"cells separated at {SEPARATORS[separator]}")
    return Table(path, hashlib.sha256(content).hexdigest(), columns, rows, (*remarks, *cleaned.remarks))


def _tell_separator(text: str, has_columns: Callable[[list[str]], bool], path: Path) -> str:
    """The only one that gives the columns; where none does, the only one that separates anything; else commas."""
    found = find_separator(text, path, has_columns)
    separating = [mark for mark in SEPARATORS if len(read_header(text, mark)) > 1]
    return found or (separating[0] if len(separating) == 1 else ",")


def list_columns(names: Sequence[str]) -> str:
    """The first of the columns, cut where a name is as long as a file, and how many more there are."""
    shown = [name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..." for name in names[:MAX_LISTED_COLUMNS]]
    more = len(names) - MAX_LISTED_COLUMNS
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def _quotes_after_spaces(text: str, separator: str) -> bool:
    """Whether cells in quotation marks stand behind spaces, which would make the marks part of the cells."""
    return re.search(rf'{re.escape(separator)} +"', text) is not None


def _decode(content: bytes, encoding: str, path: Path) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
        in_windows = bytes([byte]).decode("cp1252", errors="replace")
        raise DatasetError(
            "the dataset CSV cannot be read",
            expected="text in UTF-8",
            got=f"the byte 0x{byte:02x} at offset {error.start:,} in line {line:,}, {in_windows} in Windows-1252 and "
            "another character in other code pages",
            where=f"{path}, dataset.csv",
            fix="Save it as UTF-8 (in Excel: `CSV UTF-8`; its plain `CSV` is in the code page of the machine)",
        ) from error


def _check_text(text: str, path: Path) -> None:
    """Refuses what would be read as a table of one column with a strange name."""
    first = text.partition("\n")[0]
    if "\0" in first:
        raise DatasetError(
            "the dataset CSV cannot be read",
            expected="text in UTF-8",
            got="NUL characters in its first line: UTF-16 without a byte order mark, or no text file",
            where=f"{path}, dataset.csv",
            fix="Save it as UTF-8 (in Excel: `CSV UTF-8`)",
        )
    if first.startswith(("PK\x03\x04", "\xd0\xcf")):
        raise DatasetError(
            "the dataset CSV cannot be read",
            expected="text",
            got="a spreadsheet's own format",
            where=f"{path}, dataset.csv",
            fix="Save the sheet as `CSV UTF-8`",
        )


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


def _check_header(columns: tuple[str, ...], where: str) -> None:
    repeated = sorted(name for name, count in Counter(columns).items() if count > 1)
    if repeated:
        raise DatasetError(
            "the header of the dataset CSV",
            expected="distinct column names",
            got=f"{list_columns([repr(name) for name in repeated])} more than once",
            where=where,
            fix="Name the columns that have cells but no name, or empty them" if "" in repeated else None,
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
            fix='Put cells that contain a separator in "quotation marks"',
        )
    return tuple(Row(line, dict(zip(columns, cells, strict=True))) for line, cells in records)
