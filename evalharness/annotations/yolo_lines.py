"""What the numbers of YOLO lines mean: a box, a polygon, or a box with key points, each perhaps with a confidence.

The number of fields does not always tell. Nine are an oriented box (four corners) or a box with two key points of two
numbers; eleven are a polygon of five points or a box with two key points of three. So the form is that of all lines
together: key points are as many in each line, lie in their box, and have a visibility of 0, 1 or 2; polygons mostly
differ in length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evalharness.annotations.parsed import Tally, show
from evalharness.annotations.shapes import Box, Polygons, Shape
from evalharness.annotations.yolo_names import Naming
from evalharness.errors import DatasetError

NUM_BOX = 4
MIN_POLYGON = 6
MARGIN = 1e-3
"""How far beyond the image rounding may carry a coordinate."""
CERTAIN, LIKELY = 0.5, 0.8
"""Shares of lines with all key points in their box: of those that also have visibilities everywhere, and of others,
where a box and points of small polygons may look alike."""
REACH = 0.1
"""How far beyond their box key points may lie, in parts of its sides."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a label file."""

    file: str
    number: int
    index: int
    numbers: tuple[float, ...]
    """What follows the class."""

    @property
    def where(self) -> str:
        """For a message about this line."""
        return f"{self.file}, line {self.number}"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to read lines that are longer than a box with a confidence."""

    num_keypoints: int = 0
    keypoint_size: int = 0
    """Numbers of a key point; 0 for polygons."""
    has_confidence: bool = False
    has_track: bool = False

    @property
    def num_numbers(self) -> int:
        """Of a line; polygons have any."""
        return NUM_BOX + self.num_keypoints * self.keypoint_size + self.has_confidence + self.has_track

    @property
    def is_polygon(self) -> bool:
        """Whether the region is a polygon, not a box."""
        return not self.num_keypoints and not self.has_track

    def __str__(self) -> str:
        if self.is_polygon:
            shape = "polygons"
        elif self.has_track:
            return "boxes with a confidence and the number of a track"
        else:
            shape = f"boxes with {self.num_keypoints} key point{'s' * (self.num_keypoints > 1)}"
            shape += f" of {self.keypoint_size} numbers"
        return shape + (" and a confidence" if self.has_confidence else "")


def parse_line(text: str, file: str, number: int) -> Line:
    """Takes a line apart.

    Raises:
        ValueError: It is not a class and numbers.
    """
    fields = text.split()
    fault = f"not a class and numbers: {show(' '.join(fields))}"
    try:
        index, *numbers = (float(field) for field in fields)
    except ValueError:
        raise ValueError(fault) from None
    if not index.is_integer():
        raise ValueError(fault)
    return Line(file, number, int(index), tuple(numbers))


def choose_form(lines: Sequence[Line], naming: Naming) -> Form:
    """Tells what lines with six numbers and more are.

    Raises:
        DatasetError: They fit more than one form, and nothing beside them tells which.
    """
    long = [line for line in lines if len(line.numbers) >= MIN_POLYGON]
    if naming.keypoint_shape:
        form = Form(*naming.keypoint_shape)
        has_confidence = any(len(line.numbers) == form.num_numbers + 1 for line in long)
        return Form(*naming.keypoint_shape, has_confidence=has_confidence)
    polygons = Form(has_confidence=bool(long) and all(len(line.numbers) % 2 for line in long))
    if not long or len({len(line.numbers) for line in long}) > 1:
        return polygons
    forms = list(_list_forms(len(long[0].numbers)))
    is_oriented = all(_is_parallelogram(line.numbers) for line in long)
    visible = [form for form in forms if form.keypoint_size == 3 and all(_is_visibility(line, form) for line in long)]
    certain = [form for form in visible if _share(long, form) >= CERTAIN and not is_oriented]
    if certain:
        # A drawn polygon does not have 0 and 1 in just these places, line after line.
        return certain[0]
    can_be_polygons = _share(long, polygons) == 1
    others = [form for form in forms if form not in visible and _share(long, form) >= LIKELY]
    if can_be_polygons and (is_oriented or (naming.has_yaml and not visible)):
        return polygons
    found = [*([polygons] if can_be_polygons else []), *visible, *others]
    if len(found) > 1:
        raise _ambiguous(long, found)
    return found[0] if found else polygons


def _ambiguous(lines: Sequence[Line], forms: Sequence[Form]) -> DatasetError:
    shapes = " or ".join(f"[{form.num_keypoints}, {form.keypoint_size}]" for form in forms if form.num_keypoints)
    is_pose = f"With `kpt_shape: {shapes}` in it they are key points" if shapes else "They may be predictions of tracks"
    return DatasetError(
        "YOLO lines can be read in more than one way",
        got=f"{len(lines):,} lines of {len(lines[0].numbers) + 1} fields that fit {' and '.join(map(str, forms))}",
        where=f"the first: {lines[0].where}",
        fix=f"Put the data.yaml of the training beside the labels. {is_pose}; with `names` alone they are polygons",
    )


def read_shape(line: Line, form: Form, tally: Tally) -> Shape:
    """Turns the numbers of a line into a shape, and counts what of them is not read.

    Raises:
        ValueError: They are neither a box nor of this form.
    """
    count = len(line.numbers)
    is_box = count in (NUM_BOX, NUM_BOX + 1)
    if is_box:
        form = Form(has_confidence=count > NUM_BOX)
    elif not _has_length(count, form):
        raise ValueError(f"it has {count + 1} fields, neither a box nor {'a polygon' if form.is_polygon else form}")
    is_polygon = form.is_polygon and not is_box
    coordinates = line.numbers[: count - form.has_confidence] if is_polygon else line.numbers[:NUM_BOX]
    confidence = line.numbers[count - 1 - form.has_track : count - form.has_track] if form.has_confidence else ()
    if not all(_is_part(number) for number in coordinates):
        raise ValueError("a coordinate is not between 0 and 1")
    if not all(_is_part(number) for number in confidence):
        raise ValueError(
            f"it has {count + 1} fields, and the last, {confidence[0]:g}, is no confidence between 0 and 1"
        )
    _count_unread(line, form, tally)
    if is_polygon:
        return Polygons((coordinates,), is_relative=True)
    x_centre, y_centre, width, height = coordinates
    return Box(x_centre - width / 2, y_centre - height / 2, width, height, is_relative=True)


def _count_unread(line: Line, form: Form, tally: Tally) -> None:
    where = f"{line.file}:{line.number}"
    if form.num_keypoints:
        points = "a key point" if form.num_keypoints == 1 else f"{form.num_keypoints} key points"
        tally.add("line", f"with {points} behind the box, which is the region; key points are not read", where)
    if form.has_track:
        tally.add("line", "with a confidence and the number of a track behind the box; they are not read", where)
    elif form.has_confidence:
        tally.add("line", "with a confidence as last field, which is not read", where)


def _has_length(count: int, form: Form) -> bool:
    if form.is_polygon:
        return count >= MIN_POLYGON and (count - form.has_confidence) % 2 == 0
    return count == form.num_numbers


def _list_forms(count: int) -> Iterator[Form]:
    """The forms other than polygons that lines of so many numbers can have."""
    for size in (3, 2):
        for has_confidence in (False, True):
            number, rest = divmod(count - NUM_BOX - has_confidence, size)
            if number > 0 and rest == 0:
                yield Form(number, size, has_confidence)
    if count == NUM_BOX + 2:
        yield Form(has_confidence=True, has_track=True)


def _share(lines: Sequence[Line], form: Form) -> float:
    """Part of the lines that make sense in a form."""
    return sum(_fits(line, form) for line in lines) / len(lines)


def _is_visibility(line: Line, form: Form) -> bool:
    """Whether each third number of the key points can be a visibility, and the confidence one."""
    keypoints = line.numbers[NUM_BOX : NUM_BOX + 3 * form.num_keypoints]
    has_confidence = not form.has_confidence or _is_part(line.numbers[-1])
    return has_confidence and all(number in (0, 1, 2) for number in keypoints[2::3])


def _fits(line: Line, form: Form) -> bool:
    """Whether a line makes sense in a form, apart from its length."""
    numbers = line.numbers
    if form.is_polygon:
        return all(_is_part(number) for number in numbers)
    x, y, width, height = numbers[:NUM_BOX]
    edges = (x - width / 2, x + width / 2, y - height / 2, y + height / 2)
    if min(width, height) <= 0 or not all(_is_part(edge) for edge in edges):
        return False
    if form.has_track:
        return _is_part(numbers[-2]) and numbers[-1].is_integer() and numbers[-1] >= 1
    if form.has_confidence and not _is_part(numbers[-1]):
        return False
    size = form.keypoint_size
    points = [numbers[start : start + size] for start in range(NUM_BOX, NUM_BOX + form.num_keypoints * size, size)]
    return all(_is_keypoint(point, (x, y, width, height)) for point in points)


def _is_keypoint(point: tuple[float, ...], box: tuple[float, float, float, float]) -> bool:
    """Whether numbers are a point of a box, or one that was not labelled; a third is a visibility or a confidence."""
    x, y, width, height = box
    if not all(0 <= number <= 2 for number in point[2:]):
        return False
    if point[0] == point[1] == 0 or point[2:] == (0,):
        return True
    reach = 0.5 + REACH
    return abs(point[0] - x) <= reach * width and abs(point[1] - y) <= reach * height


def _is_parallelogram(numbers: Sequence[float]) -> bool:
    """Whether numbers are the corners of an oriented box: opposite ones have the same middle."""
    if len(numbers) != 8:
        return False
    return all(abs(numbers[i] - numbers[i + 2] + numbers[i + 4] - numbers[i + 6]) <= 4 * MARGIN for i in (0, 1))


def _is_part(number: float) -> bool:
    return -MARGIN <= number <= 1 + MARGIN
