"""YOLO: a text file for each image, with boxes or polygons in parts of the image's sides."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from evalharness.annotations.parsed import Parsed, ParsedImage, Tally, faults_error, read_text
from evalharness.annotations.shapes import Shape
from evalharness.annotations.yolo_lines import Line, choose_form, parse_line, read_shape
from evalharness.annotations.yolo_names import NAME_FILES, Naming, read_naming
from evalharness.folders import IMAGE_SUFFIXES, list_files

FIX = (
    "A line is `class x_centre y_centre width height` or `class x1 y1 x2 y2 x3 y3 ...`, in parts of the image's sides."
)


def read_yolo(path: Path) -> Parsed:
    """Reads the label files of a folder.

    A file belongs to the image of the same name; where its path has a folder `labels`, the image is looked for in
    `images` in its stead, or without that folder. Category names come from `classes.txt` or `obj.names` (one a line) or
    from `names` in `data.yaml`, in the folder or the one above it. An empty file is an image that was looked at and has
    no region. Confidences and key points are not read; where a line may have key points or be a polygon, `kpt_shape`
    in `data.yaml` tells, or what fits all lines.

    Args:
        path: The folder, searched with its subfolders.

    Raises:
        DatasetError: No names, names or lines that fit two ways, or lines that cannot be read; all are listed.
    """
    naming = read_naming(path)
    tally = Tally()
    faults: list[str] = []
    labels = _read_files(path, naming, tally, faults)
    form = choose_form([line for lines in labels.values() for line in lines], naming)
    images: list[ParsedImage] = []
    for relative, lines in labels.items():
        shapes: list[tuple[str, Shape]] = []
        for line in lines:
            try:
                shapes.append((naming.find(line.index), read_shape(line, form, tally)))
            except ValueError as error:
                faults.append(f"{line.where}: {error}")
        parts = ["images" if part == "labels" else part for part in relative.with_suffix("").parts]
        images.append(ParsedImage("/".join(parts), str(relative), tuple(shapes), is_stem=True))
    if faults:
        raise faults_error(f"{len(faults)} lines in {path} cannot be used", faults, FIX)
    return Parsed(tuple(images), tally.notes)


def _read_files(path: Path, naming: Naming, tally: Tally, faults: list[str]) -> dict[PurePath, list[Line]]:
    """Lines by file, without files that hold something else; adds to the faults."""
    found = [file.relative_to(path) for file in list_files(path, ".txt")]
    if any("labels" in file.parts for file in found):
        # Beside the folder `labels` lie lists of the images of each split.
        found = [file for file in found if "labels" in file.parts]
    labels: dict[PurePath, list[Line]] = {}
    for relative in found:
        if relative.name in NAME_FILES or relative.name in naming.list_files:
            continue
        texts = read_text(path / relative).splitlines()
        content = [text for text in texts if text.strip()]
        if content and all(PurePath(text.strip()).suffix.lower() in IMAGE_SUFFIXES for text in content):
            tally.add("file", "passed over: a list of images", str(relative))
        elif content and not any(_is_of_numbers(text.split()) for text in content):
            tally.add("file", "passed over: no line is a class and numbers", str(relative))
        else:
            labels[relative] = _parse_lines(texts, str(relative), faults)
    return labels


def _parse_lines(texts: Sequence[str], relative: str, faults: list[str]) -> list[Line]:
    lines = []
    for number, text in enumerate(texts, start=1):
        if text.strip():
            try:
                lines.append(parse_line(text, relative, number))
            except ValueError as error:
                faults.append(f"{relative}, line {number}: {error}")
    return lines


def _is_of_numbers(fields: Sequence[str]) -> bool:
    """Whether a line looks like one of a label file, right or wrong: numbers, behind a class of any kind."""
    try:
        return bool([float(field) for field in (fields[1:] or fields)])
    except ValueError:
        return False
