"""Masks in which each colour or number is a category, named by a label file: CVAT, Pascal VOC and the like."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from evalharness.annotations.mask_labels import Colour, Labels, is_background
from evalharness.annotations.parsed import list_some
from evalharness.annotations.shapes import RunLengths, Size, encode_mask
from evalharness.errors import DatasetError

MAX_VALUES = 256
"""Different colours or numbers in one mask: a photo has more."""
VOID_NUMBER, VOID_COLOUR = 255, (224, 224, 192)
"""What Pascal VOC and others paint where it is not said what is there, such as the border of an object."""


@dataclass(frozen=True, slots=True)
class Value:
    """What the pixels of a part of a mask hold."""

    number: int | None
    """None where the mask has colours only."""
    colour: Colour | None
    """None where the numbers are no colours."""

    def __str__(self) -> str:
        return str(self.colour if self.number is None else self.number)

    @property
    def is_zero(self) -> bool:
        """Whether it is the number 0, or black where there are no numbers."""
        return self.number == 0 if self.number is not None else self.colour == (0, 0, 0)

    @property
    def is_void(self) -> bool:
        """Whether it is what others paint where nothing is said."""
        return self.number == VOID_NUMBER or self.colour == VOID_COLOUR


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A mask, taken apart by what its pixels hold."""

    size: Size
    parts: Mapping[Value, RunLengths]


@dataclass(frozen=True, slots=True)
class Naming:
    """Which category each value of some masks is."""

    names: Mapping[Value, str | None]
    """None for the background."""
    notes: tuple[str, ...]


class AmbiguousError(DatasetError):
    """A label file names values in two ways."""


def take_apart(image: Image.Image) -> ClassMap:
    """Splits a mask by what its pixels hold.

    Raises:
        ValueError: More different values than a mask of categories has.
    """
    values = pixel_values(image)
    size = (values.shape[0], values.shape[1])
    # A sorted copy of all pixels at once would be as large as the mask.
    found = np.unique(np.concatenate([np.unique(row) for row in values]))
    if len(found) > MAX_VALUES:
        raise ValueError(f"it has {len(found):,} different values, more than a mask of categories ({MAX_VALUES})")
    name = _value_namer(image)
    return ClassMap(size, {name(int(value)): encode_mask(values == value) for value in found})


def pixel_values(image: Image.Image) -> npt.NDArray[Any]:
    """One number a pixel, (height, width): that of the image, or red, green and blue as three bytes."""
    values = np.asarray(image)
    if values.ndim < 3:
        return values
    packed = values[..., 0].astype(np.uint32)
    for channel in (1, 2):
        packed <<= 8
        packed |= values[..., channel]
    return packed


def _value_namer(image: Image.Image) -> Callable[[int], Value]:
    if image.mode == "RGB":
        return lambda packed: Value(None, (packed >> 16, packed >> 8 & 255, packed & 255))
    if image.mode == "P":
        palette: npt.NDArray[np.int64] = np.array(image.getpalette("RGB") or [], np.int64).reshape(-1, 3)
        colours = [(int(red), int(green), int(blue)) for red, green, blue in palette]
        return lambda index: Value(index, colours[index] if index < len(colours) else None)
    if image.mode == "L":
        return lambda grey: Value(grey, (grey, grey, grey))
    return lambda number: Value(number, None)


def name_values(values: Iterable[Value], labels: Labels) -> Naming:
    """Names what masks hold, by colour, or else by number, if that names all of it.

    Raises:
        AmbiguousError: More than one way does, and they differ.
        DatasetError: None does.
    """
    found = list(dict.fromkeys(values))
    ways: dict[str, dict[Value, str | None]] = {}
    if labels.by_colour:
        _add(ways, "colour", found, {value: labels.by_colour.get(value.colour or (-1, -1, -1)) for value in found})
    if not ways and (labels.is_numbered or not labels.by_colour):
        numbers = {value: -1 if value.number is None else value.number for value in found}
        what = "number" if labels.is_numbered else "line, counted from 0"
        _add(ways, what, found, {value: labels.by_number.get(number) for value, number in numbers.items()})
        if not labels.is_numbered:
            below = {value: labels.by_number.get(number - 1) for value, number in numbers.items()}
            _add(ways, "line, counted from 1", found, below)
    if not ways:
        raise DatasetError(
            "the categories of the masks cannot be told",
            expected=f"values that {labels.file.name} names",
            got=list_some([str(value) for value in _list_unnamed(found, labels)]),
            where=labels.file,
            fix="Add what is missing to the label file, as `name:red,green,blue::` or `number name` in each line",
        )
    if any(way != next(iter(ways.values())) for way in ways.values()):
        raise _ambiguous(ways, labels)
    how, names = next(iter(ways.items()))
    return Naming(names, tuple(_describe(how, names, labels)))


def _add(
    ways: dict[str, dict[Value, str | None]], how: str, found: Sequence[Value], names: Mapping[Value, str | None]
) -> None:
    """Adds a way of naming if it names everything that needs a name."""
    has_names = any(name is not None and not is_background(name) and not value.is_zero for value, name in names.items())
    is_needless = all(value.is_zero or (value.is_void and has_names) for value in found if names[value] is None)
    if is_needless:
        ways[how] = {value: None if name is None or is_background(name) else name for value, name in names.items()}


def _list_unnamed(found: Sequence[Value], labels: Labels) -> list[Value]:
    def has_name(value: Value) -> bool:
        return value.number in labels.by_number or (value.colour in labels.by_colour)

    return [value for value in found if not has_name(value) and not value.is_zero] or list(found)


def _ambiguous(ways: Mapping[str, Mapping[Value, str | None]], labels: Labels) -> AmbiguousError:
    first, *others = ways.values()
    value = next(value for value in first if any(other[value] != first[value] for other in others))
    readings = [f"{names[value] or 'background'!r} by {how}" for how, names in ways.items()]
    return AmbiguousError(
        "the categories of the masks cannot be told",
        got=f"{value} in the masks is {' and '.join(readings)}",
        where=labels.file,
        fix="Write the number before each name, as `1 dog`, or `background` as the first line if that is number 0",
    )


def _describe(how: str, names: Mapping[Value, str | None], labels: Labels) -> Iterable[str]:
    yield f"Masks were read by {labels.file.name}, by {how}; the background is no category."
    void = [value for value, name in names.items() if name is None and value.is_void and not value.is_zero]
    if void:
        yield f"The border that says nothing ({', '.join(map(str, void))} in the masks) was left out."
