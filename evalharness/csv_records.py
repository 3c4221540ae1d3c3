"""CSV text as records that know their line."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from evalharness.errors import DatasetError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Between cells, and what they are called."""


class RecordError(csv.Error):
    """A record that cannot be read, such as one with a quotation mark that is never closed."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line
        """Where the record starts."""


def read_records(text: str, separator: str = ",", *, skip_spaces: bool = False) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the cells of each record that is not a blank line.

    Args:
        text: Of the file.
        separator: Between cells.
        skip_spaces: Whether spaces may stand between a separator and a quotation mark.

    Raises:
        RecordError: A record cannot be read.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=skip_spaces, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise RecordError(str(error), line) from error


def find_separator(text: str, path: Path, fits: Callable[[list[str]], bool]) -> str | None:
    """The only separator under which a file has a header that fits; None where there is none.

    Args:
        text: Of the file.
        path: Of the file.
        fits: Tells so from the names of the columns, stripped.

    Raises:
        DatasetError: Several do.
    """
    headers = {mark: read_header(text, mark) for mark in SEPARATORS}
    fitting = {mark: names for mark, names in headers.items() if fits(names)}
    if len(fitting) > 1:
        raise DatasetError(
            "the header can be read in two ways",
            expected="one way to separate the columns",
            got=", or ".join(f"at {SEPARATORS[mark]} {' | '.join(names)}" for mark, names in fitting.items()),
            where=path,
            fix="Rename the columns that hold the other separator",
        )
    return next(iter(fitting), None)


def read_header(text: str, separator: str) -> list[str]:
    """Names of the columns, stripped; none where there is no first record that can be read."""
    try:
        for _, cells in read_records(text, separator, skip_spaces=True):
            names = [cell.strip() for cell in cells]
            if any(names) and not is_hint(cells):
                return names
    except RecordError:
        pass
    return []


def is_hint(cells: Sequence[str]) -> bool:
    """Whether a record is the `sep=;` by which Excel is told how to separate the cells."""
    return cells[0].strip().lower().startswith("sep=") and not any(cells[1:])
