"""What spreadsheets and joined exports leave in a CSV: other encodings, empty columns and rows, a second header."""

from dataclasses import dataclass

Record = tuple[int, list[str]]
"""The first line of a record, and its cells."""
BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
"""The longer ones first: one begins with another."""
MAX_NAMED_LINES = 5


@dataclass(frozen=True, slots=True)
class CleanedRecords:
    """The records that hold something, each as wide as the header."""

    header: list[str]
    records: list[Record]
    remarks: tuple[str, ...]
    """What was passed over, as sentences with a count."""


def encoding_of(content: bytes) -> str:
    """Of a text file, from its byte order mark; UTF-8 where there is none."""
    return next((name for mark, name in BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")


def pass_over_empty(header: list[str], records: list[Record]) -> CleanedRecords:
    """Takes away rows without any text, repeated headers, and columns that have neither a name nor text.

    Args:
        header: Names of the columns, stripped.
        records: The other records.
    """
    written = [(line, cells) for line, cells in records if any(cell.strip() for cell in cells)]
    names, width = _names(header), len(header)
    rows = [(line, cells) for line, cells in written if _names(cells) != names]
    # A cell behind the last column is no cell if nothing is in it.
    rows = [(line, cells[: max(width, _last_text(cells))]) for line, cells in rows]
    nameless = _find_empty(header, rows)
    remarks = []
    if len(written) < len(records):
        remarks.append(_rows_remark("empty", {line for line, _ in records} - {line for line, _ in written}))
    if len(rows) < len(written):
        remarks.append(_rows_remark("repeated header", {line for line, _ in written} - {line for line, _ in rows}))
    if nameless:
        remarks.append(f"{len(nameless)} empty column{'s' if len(nameless) != 1 else ''} passed over")
        header = _without(header, nameless)
        rows = [(line, _without(cells, nameless) if len(cells) == width else cells) for line, cells in rows]
    return CleanedRecords(header, rows, tuple(remarks))


def _names(cells: list[str]) -> list[str]:
    """As a header has them; a file that was joined from several has a byte order mark before each of them."""
    return [cell.removeprefix("\ufeff").strip() for cell in cells[: _last_text(cells)]]


def _last_text(cells: list[str]) -> int:
    return max((index for index, cell in enumerate(cells, start=1) if cell.strip()), default=0)


def _without(cells: list[str], indices: set[int]) -> list[str]:
    return [cell for index, cell in enumerate(cells) if index not in indices]


def name_lines(lines: set[int]) -> str:
    """The first few, as a remark names them."""
    more = ", ..." if len(lines) > MAX_NAMED_LINES else ""
    return f"line {', '.join(map(str, sorted(lines)[:MAX_NAMED_LINES]))}{more}"


def _find_empty(header: list[str], rows: list[Record]) -> set[int]:
    """Columns with neither a name nor text."""
    nameless = {index for index, name in enumerate(header) if not name}
    for _, cells in rows if nameless else ():
        nameless -= {index for index, cell in enumerate(cells) if cell.strip()}
    return nameless


def _rows_remark(kind: str, lines: set[int]) -> str:
    return f"{len(lines):,} {kind} row{'s' if len(lines) != 1 else ''} passed over ({name_lines(lines)})"
