"""The table of annotation formats. A new one is a function, a line here, and a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalharness.annotations.boxes_csv import read_boxes_csv
from evalharness.annotations.coco import read_coco
from evalharness.annotations.mask_labels import is_label_file
from evalharness.annotations.parsed import Parsed
from evalharness.annotations.png_masks import read_png_masks
from evalharness.annotations.voc import read_voc
from evalharness.annotations.yolo import read_yolo
from evalharness.annotations.yolo_names import NAME_FILES
from evalharness.errors import ConfigError, DatasetError
from evalharness.folders import check_annotations_are_there, list_files


@dataclass(frozen=True, slots=True)
class Reader:
    """One annotation format."""

    read: Callable[[Path], Parsed]
    suffix: str
    """Of its files."""
    is_folder: bool
    """Whether its path is a folder."""
    description: str


READERS: Mapping[str, Reader] = {
    "coco": Reader(read_coco, ".json", is_folder=False, description="COCO JSON: boxes, polygons, run lengths"),
    "csv": Reader(read_boxes_csv, ".csv", is_folder=False, description="CSV: path,category,x,y,width,height"),
    "png": Reader(
        read_png_masks,
        ".png",
        is_folder=True,
        description="PNG masks: <category>/<image>.png, or masks and labelmap.txt",
    ),
    "voc": Reader(read_voc, ".xml", is_folder=True, description="Pascal VOC XML: boxes"),
    "yolo": Reader(read_yolo, ".txt", is_folder=True, description="YOLO text: boxes or polygons, and classes.txt"),
}


def read_annotations(path: Path, annotations_format: str | None = None) -> tuple[str, Parsed]:
    """Reads annotations in the named format, or in the one that the path tells.

    Args:
        path: A file or a folder.
        annotations_format: A name in `READERS`.

    Returns:
        The name of the format, and what was read.

    Raises:
        ConfigError: No such format, or the path does not tell one.
        DatasetError: The path is not there, or what is there cannot be read.
    """
    if annotations_format is not None and annotations_format not in READERS:
        raise ConfigError(
            "unknown annotation format",
            expected=f"one of {', '.join(READERS)}",
            got=repr(annotations_format),
            where="dataset.annotations_format",
        )
    check_annotations_are_there(path)
    name = annotations_format or detect_format(path)
    if READERS[name].is_folder and path.is_file() and path.suffix.lower() != ".xml":
        raise DatasetError("the annotations cannot be read", expected=f"a folder ({name})", got="a file", where=path)
    if not READERS[name].is_folder and path.is_dir():
        raise DatasetError("the annotations cannot be read", expected=f"a file ({name})", got="a folder", where=path)
    return name, READERS[name].read(path)


def detect_format(path: Path) -> str:
    """Tells the format of annotations from the endings of their files.

    Raises:
        ConfigError: None fits, or more than one does.
    """
    if path.is_file():
        suffixes = {path.suffix.lower()}
        found = [name for name, reader in READERS.items() if reader.suffix in suffixes and _takes_file(reader)]
    else:
        files = [file.relative_to(path) for file in list_files(path)]
        suffixes = {file.suffix.lower() for file in files if not _is_beside_the_point(file)}
        found = [name for name, reader in READERS.items() if reader.suffix in suffixes and reader.is_folder]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        "the format of the annotations cannot be told",
        expected="; ".join(f"{name} ({reader.description})" for name, reader in READERS.items()),
        got=f"files for {' and '.join(found)}" if found else f"files with {', '.join(sorted(suffixes)) or 'no'} ending",
        where=path,
        fix="Set dataset.annotations_format, or give the file instead of its folder",
    )


def _takes_file(reader: Reader) -> bool:
    return not reader.is_folder or reader.suffix == ".xml"


def _is_beside_the_point(relative: Path) -> bool:
    """Whether a file says nothing about the format of what lies beside it: lists of names and images, and read-mes."""
    is_document = relative.name.lower().startswith(("readme", "license", "licence"))
    return is_document or relative.name in NAME_FILES or is_label_file(relative)
