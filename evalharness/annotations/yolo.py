"""YOLO: a text file for each image, with boxes or polygons in parts of the image's sides."""

from pathlib import Path

import yaml

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error, read_text
from evalharness.annotations.shapes import Box, Polygons, Shape
from evalharness.errors import DatasetError

NAME_FILES = ("classes.txt", "data.yaml", "data.yml")
NUM_BOX_FIELDS = 5
MIN_POLYGON_FIELDS = 7
MARGIN = 1e-3
"""How far beyond the image rounding may carry a coordinate."""
FIX = (
    "A line is `class x_centre y_centre width height` or `class x1 y1 x2 y2 x3 y3 ...`, in parts of the image's sides."
)


def read_yolo(path: Path) -> Parsed:
    """Reads the label files of a folder.

    A file belongs to the image of the same name; where its path has a folder `labels`, the image is looked for in
    `images` in its stead, or without that folder. Category names come from `classes.txt` (one a line) or from `names`
    in `data.yaml`, in the folder or the one above it. An empty file is an image that was looked at and has no region.

    Args:
        path: The folder, searched with its subfolders.

    Raises:
        DatasetError: No names, or lines that cannot be read; all are listed.
    """
    names = _read_names(path)
    files = [file for file in sorted(path.rglob("*.txt")) if file.name not in NAME_FILES]
    if any("labels" in file.relative_to(path).parts for file in files):
        # Beside the folder `labels` lie lists of the images of each split.
        files = [file for file in files if "labels" in file.relative_to(path).parts]
    images: list[ParsedImage] = []
    faults: list[str] = []
    for file in files:
        relative = file.relative_to(path)
        shapes: list[tuple[str, Shape]] = []
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            try:
                if line.strip():
                    shapes.append(_read_line(line.split(), names))
            except ValueError as error:
                faults.append(f"{relative}, line {number}: {error}")
        parts = ["images" if part == "labels" else part for part in relative.with_suffix("").parts]
        images.append(ParsedImage("/".join(parts), str(relative), tuple(shapes), is_stem=True))
    if faults:
        raise faults_error(f"{len(faults)} lines in {path} cannot be used", faults, FIX)
    return Parsed(tuple(images))


def _read_line(fields: list[str], names: dict[int, str]) -> tuple[str, Shape]:
    try:
        index, *numbers = int(fields[0]), *(float(field) for field in fields[1:])
    except ValueError:
        raise ValueError(f"not a class and numbers: {' '.join(fields)[:60]!r}") from None
    if index not in names:
        raise ValueError(f"class {index} has no name ({len(names)} are named)")
    if not all(-MARGIN <= number <= 1 + MARGIN for number in numbers):
        raise ValueError("a coordinate is not between 0 and 1")
    if len(fields) == NUM_BOX_FIELDS:
        x_centre, y_centre, width, height = numbers
        return names[index], Box(x_centre - width / 2, y_centre - height / 2, width, height, is_relative=True)
    if len(fields) >= MIN_POLYGON_FIELDS and len(numbers) % 2 == 0:
        return names[index], Polygons((tuple(numbers),), is_relative=True)
    raise ValueError(f"it has {len(fields)} fields, neither a box nor a polygon")


def _read_names(path: Path) -> dict[int, str]:
    for folder in (path, path.absolute().parent):
        for file in (folder / name for name in NAME_FILES):
            if file.is_file():
                return _parse_names(file)
    raise DatasetError(
        "YOLO annotations have no category names",
        expected=f"{' or '.join(NAME_FILES[:2])} in the folder or the one above it",
        where=path,
    )


def _parse_names(file: Path) -> dict[int, str]:
    text = read_text(file)
    if file.suffix == ".txt":
        return dict(enumerate(line.strip() for line in text.strip().splitlines()))
    try:
        content = yaml.safe_load(text)
    # A date that there is not is a ValueError.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError("category names cannot be read", got=" ".join(str(error).split()), where=file) from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        return {index: str(name) for index, name in enumerate(names)}
    if isinstance(names, dict) and all(type(index) is int for index in names):
        return {index: str(name) for index, name in names.items()}
    raise DatasetError("category names cannot be read", expected="`names`, a list or numbered", got=names, where=file)
