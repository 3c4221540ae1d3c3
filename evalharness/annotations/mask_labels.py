"""Label files beside masks: which category a colour or a number in a mask is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from evalharness.annotations.parsed import read_text, show
from evalharness.errors import DatasetError

Colour = tuple[int, int, int]

LABEL_FILES = ("labelmap.txt", "label_colors.txt", "labels.txt", "classes.txt", "class_names.txt")
BACKGROUND_NAMES = frozenset(
    {
        "???", "_background_", "__background__", "__ignore__", "_ignore_", "background", "bg", "ignore", "unlabeled",
        "unlabelled", "void",
    }
)  # fmt: skip
"""Names of what is no category, in lower case."""
_CVAT = re.compile(r"(?P<name>.+):(?P<colour>[0-9]{1,3},[0-9]{1,3},[0-9]{1,3})?:[^:]*:[^:]*")
_COLOUR_FIRST = re.compile(r"(?P<colour>[0-9]{1,3}[ \t,]+[0-9]{1,3}[ \t,]+[0-9]{1,3})[ \t,]+(?P<name>\S.*)")
_NUMBER_FIRST = re.compile(r"(?P<number>[0-9]{1,5})[ \t]*[:,;= \t][ \t]*(?P<name>\S.*)")


@dataclass(frozen=True, slots=True)
class Labels:
    """What a label file says."""

    file: Path
    by_colour: Mapping[Colour, str]
    by_number: Mapping[int, str]
    """By the number of the line, from 0, where the file gives no numbers."""
    is_numbered: bool
    """Whether the numbers are certain: the file gives them, or its first line is the background."""

    @property
    def names(self) -> frozenset[str]:
        """Of all categories, the background among them."""
        return frozenset(self.by_number.values())


def is_background(name: str) -> bool:
    """Whether a name means what is outside of all categories."""
    return name.lower() in BACKGROUND_NAMES


def is_label_file(relative: PurePath) -> bool:
    """Whether a file beside masks names categories or lists images."""
    return relative.name in LABEL_FILES or "ImageSets" in relative.parts


def find_label_file(folder: Path) -> Path | None:
    """The label file of a folder of masks, or None.

    Raises:
        DatasetError: There is more than one.
    """
    found = [folder / name for name in LABEL_FILES if (folder / name).is_file()]
    if len(found) > 1:
        raise DatasetError(
            "the categories of the masks cannot be told",
            expected="one label file",
            got=" and ".join(file.name for file in found),
            where=folder,
            fix="Keep the one that the masks were written with",
        )
    return found[0] if found else None


def read_labels(file: Path) -> Labels:
    """Reads a label file in the form that all its lines have.

    `name:red,green,blue:parts:actions` (CVAT; without colours those of Pascal VOC are meant), `red green blue name`,
    `number name`, or a name a line. Lines that begin with # are comments.

    Raises:
        DatasetError: It cannot be read, holds nothing, or gives a colour or number two names.
    """
    lines = [line.strip() for line in read_text(file).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise DatasetError("a label file cannot be used", expected="a category a line", got="none", where=file)
    for form in (_CVAT, _COLOUR_FIRST, _NUMBER_FIRST):
        matches = [match for line in lines if (match := form.fullmatch(line))]
        if len(matches) == len(lines):
            return _take(file, [match.groupdict() for match in matches])
    # labelme writes what it ignores before the number 0.
    names = lines[1:] if lines[0] == "__ignore__" else lines
    return Labels(file, {}, dict(enumerate(names)), is_numbered=bool(names) and is_background(names[0]))


def _take(file: Path, entries: Sequence[Mapping[str, str | None]]) -> Labels:
    by_colour: dict[Colour, str] = {}
    by_number: dict[int, str] = {}
    has_colours = "colour" in entries[0]
    for position, entry in enumerate(entries):
        name = (entry["name"] or "").strip()
        number = int(entry.get("number") or position)
        if by_number.setdefault(number, name) != name:
            raise _two_names(file, f"number {number}", by_number[number], name)
        if has_colours:
            colour = _read_colour(entry["colour"], file) if entry["colour"] else _colour_of_voc(position)
            if by_colour.setdefault(colour, name) != name:
                raise _two_names(file, f"colour {colour}", by_colour[colour], name)
    is_numbered = not has_colours or is_background(by_number[0])
    return Labels(file, by_colour, by_number, is_numbered)


def _two_names(file: Path, what: str, first: str, second: str) -> DatasetError:
    return DatasetError(f"the {what} has two names", got=f"{show(first)} and {show(second)}", where=file)


def _read_colour(text: str, file: Path) -> Colour:
    red, green, blue = (int(part) for part in re.split(r"[ \t,]+", text))
    if max(red, green, blue) > 255:
        raise DatasetError("a label file cannot be used", expected="colours of 0 to 255", got=text, where=file)
    return red, green, blue


def _colour_of_voc(number: int) -> Colour:
    """Pascal VOC's palette: the bits of the number in turn to red, green and blue, from the highest down."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (number >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]
