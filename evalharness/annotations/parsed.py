"""What a reader makes of annotation files, before they meet the rows of the CSV."""

import codecs
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.annotations.shapes import Shape, Size
from evalharness.errors import DatasetError

MAX_LISTED = 20
MAX_NAMED = 5
MAX_SHOWN = 60
"""Characters of a value in a message."""


@dataclass(frozen=True, slots=True)
class ParsedImage:
    """The annotations of one image."""

    name: str
    """As the annotations call the image: a file name, or a path from anywhere above it."""
    where: str
    """The file, line or entry that they come from, for messages."""
    shapes: tuple[tuple[str, Shape], ...]
    """Category and shape; none where the image was looked at and nothing found."""
    size: Size | None = None
    """(height, width) of the image in pixels, where the annotations say."""
    is_stem: bool = False
    """Whether `name` may lack the image's ending."""
    also_named: str | None = None
    """The path of the image's own annotation file without its ending, where that differs from `name`: the two may mean
    different images."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that a reader found."""

    images: tuple[ParsedImage, ...]
    notes: tuple[str, ...] = ()
    """What was passed over, as sentences for the user."""


class Tally:
    """Counts what a reader passed over or took in an unusual way, to tell each kind once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, unit: str, what: str, where: str) -> None:
        """Counts one.

        Args:
            unit: What is counted, in the singular.
            what: What became of it, without a verb that would have to agree: it follows the number and the unit.
            where: Which one it is.
        """
        self._found[unit, what].append(where)

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each kind, with the number and the first few."""
        return tuple(
            f"{len(found):,} {unit}{'' if len(found) == 1 else 's'} {what}: {list_some(found)}."
            for (unit, what), found in self._found.items()
        )


def list_some(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def show(value: object) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def faults_error(what: str, faults: Sequence[str], fix: str) -> DatasetError:
    """Tells every fault in one message.

    Args:
        what: What failed, as a clause.
        faults: A line each; up to 20 are listed.
        fix: A sentence.
    """
    lines = [f"{what}:", *(f"  {fault}" for fault in faults[:MAX_LISTED])]
    if len(faults) > MAX_LISTED:
        lines.append(f"  ... and {len(faults) - MAX_LISTED:,} more")
    return DatasetError("\n".join([*lines, fix]))


def read_text(path: Path) -> str:
    """Reads a text file as UTF-8, with or without a byte order mark, or as the UTF-16 that such a mark tells.

    Raises:
        DatasetError: The file cannot be read, or is in another encoding.
    """
    try:
        with path.open("rb") as file:
            is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        return path.read_text(encoding="utf-16" if is_utf16 else "utf-8-sig")
    except OSError as error:
        raise DatasetError("an annotation file cannot be read", got=error.strerror or error, where=path) from error
    except UnicodeError as error:
        raise DatasetError("an annotation file cannot be read", expected="UTF-8", got=error, where=path) from error
