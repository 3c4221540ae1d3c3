"""What a reader makes of annotation files, before they meet the rows of the CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.annotations.shapes import Shape, Size
from evalharness.errors import DatasetError

MAX_LISTED = 20


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
    """Another name that the annotations give the image, such as that of a VOC file beside the one in its tag."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Everything that a reader found."""

    images: tuple[ParsedImage, ...]
    notes: tuple[str, ...] = ()
    """What was passed over, as sentences for the user."""


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
    """Reads a text file as UTF-8, with or without a byte order mark.

    Raises:
        DatasetError: The file cannot be read, or is in another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DatasetError("an annotation file cannot be read", got=error.strerror or error, where=path) from error
    except UnicodeDecodeError as error:
        raise DatasetError("an annotation file cannot be read", expected="UTF-8", got=error, where=path) from error
