"""CSV text as records that know their line."""

import csv
import io
from collections.abc import Iterator


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
