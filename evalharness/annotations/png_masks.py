"""PNG masks: a folder for each category, or a mask for each image in which colours or numbers are the categories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TypeVar

from PIL import Image

from evalharness.annotations.class_maps import AmbiguousError, ClassMap, Naming, name_values, pixel_values, take_apart
from evalharness.annotations.mask_labels import LABEL_FILES, Labels, find_label_file, is_label_file, read_labels
from evalharness.annotations.parsed import Parsed, ParsedImage, Tally, faults_error, list_some
from evalharness.annotations.shapes import RunLengths, Shape, Size, encode_mask
from evalharness.errors import DatasetError
from evalharness.folders import list_files

MAX_PIXELS = 64_000_000
FIX = "Save masks as PNG in grey, black and white, RGB or with a palette: zero is outside, anything else inside."
MODES = frozenset({"1", "L", "P", "I", "I;16", "RGB"})
CLASS_FOLDER = "SegmentationClass"
CLASS_FOLDERS = frozenset({CLASS_FOLDER, "SegmentationClassPNG"})
"""Of masks whose values are categories: of Pascal VOC and CVAT's "Segmentation mask", and of older labelme."""
OBJECT_FOLDERS = frozenset({"SegmentationObject", "SegmentationObjectPNG"})
"""Of masks whose values are objects, whatever their category."""
Content = TypeVar("Content")


def read_png_masks(path: Path) -> Parsed:
    """Reads `<path>/<category>/<image>.png`, or masks of several categories with a label file.

    `<image>` is the image's path, or the end of it, with or without its own ending: `dog/roses/0001.png` and
    `dog/roses/0001.jpg.png` belong to `roses/0001.jpg`. In the folder of a category zero (black; the first entry of a
    palette) is outside, any other value inside. Where a label file (`labelmap.txt`, `labels.txt`, ...) names the values
    of the masks, each value is a category, apart from the background; of a folder with `SegmentationClass` only that is
    read. The mask has the size of the file as stored.

    Args:
        path: The folder.

    Raises:
        DatasetError: Files that cannot be used, all are listed, or masks that can be read in two ways or in none.
    """
    files = [file.relative_to(path) for file in list_files(path)]
    masks = [file for file in files if file.suffix.lower() == ".png"]
    tally = Tally()
    others = sum(file.suffix.lower() != ".png" and not is_label_file(file) for file in files)
    notes = (f"{others} files in {path} are not PNG files and were not read.",) if others else ()
    if path.name in CLASS_FOLDERS or any(_below_class_folder(mask) for mask in masks):
        parsed = _read_segmentation(path, masks, tally)
    elif label_file := find_label_file(path):
        parsed = _read_labelled(path, masks, read_labels(label_file), tally)
    else:
        parsed = _read_folders(path, masks, tally)
    return Parsed(parsed.images, (*parsed.notes, *tally.notes, *notes))


def _read_segmentation(path: Path, masks: Sequence[PurePath], tally: Tally) -> Parsed:
    is_inside = path.name in CLASS_FOLDERS
    inside = [mask for mask in masks if is_inside or _below_class_folder(mask)]
    for mask in masks:
        if mask not in inside and OBJECT_FOLDERS.isdisjoint(mask.parts):
            tally.add("PNG file", f"outside of {CLASS_FOLDER} not read", str(mask))
    above = path.absolute().parent if is_inside else path
    label_file = find_label_file(path) or find_label_file(above)
    if label_file is None:
        raise _no_labels(path)
    return _read_class_maps(path, inside, read_labels(label_file))


def _below_class_folder(mask: PurePath) -> PurePath | None:
    """The path of a mask inside of the folder of masks of categories; None if it lies in no such folder."""
    found = [number for number, part in enumerate(mask.parts[:-1]) if part in CLASS_FOLDERS]
    return PurePath(*mask.parts[found[0] + 1 :]) if found else None


def _no_labels(path: Path) -> DatasetError:
    return DatasetError(
        f"the masks in {CLASS_FOLDER} have no category names",
        expected=f"one of {', '.join(LABEL_FILES)}",
        got="none",
        where=path,
        fix="Export the label file with the masks, or write one: `number name` in each line, `0 background` the first",
    )


def _read_labelled(path: Path, masks: Sequence[PurePath], labels: Labels, tally: Tally) -> Parsed:
    """Tells masks of several categories from folders of categories that a label file happens to lie beside."""
    in_folders = all(len(mask.parts) > 1 for mask in masks)
    folders = {mask.parts[0] for mask in masks}
    if not in_folders or not masks:
        return _read_class_maps(path, masks, labels)
    try:
        maps = _open_all(path, masks, take_apart)
        naming = name_values((value for found in maps.values() for value in found.parts), labels)
    except AmbiguousError as error:
        raise _map_or_folders(path, labels, folders) from error
    except DatasetError:
        # The values are no categories, or a file cannot be read, which is told there.
        return _read_folders(path, masks, tally)
    if folders <= labels.names or len(set(naming.names.values()) - {None}) < 2:
        raise _map_or_folders(path, labels, folders)
    return _join(maps, naming)


def _map_or_folders(path: Path, labels: Labels, folders: Iterable[str]) -> DatasetError:
    return DatasetError(
        "the masks can be read in two ways",
        got=f"values that {labels.file.name} may name, in folders that may be it too ({list_some(sorted(folders))})",
        where=path,
        fix=f"Move {labels.file.name} away if the folders are the categories; if the values are, put the masks into a "
        f"folder {CLASS_FOLDER} beside it",
    )


def _read_class_maps(path: Path, masks: Sequence[PurePath], labels: Labels) -> Parsed:
    maps = _open_all(path, masks, take_apart)
    return _join(maps, name_values((value for found in maps.values() for value in found.parts), labels))


def _join(maps: Mapping[PurePath, ClassMap], naming: Naming) -> Parsed:
    images = []
    for relative, found in maps.items():
        named = [(naming.names[value], runs) for value, runs in found.parts.items()]
        shapes: list[tuple[str, Shape]] = [(name, runs) for name, runs in named if name is not None]
        below = _below_class_folder(relative) or relative
        images.append(
            ParsedImage("/".join(below.with_suffix("").parts), str(relative), tuple(shapes), found.size, is_stem=True)
        )
    return Parsed(tuple(images), naming.notes)


def _read_folders(path: Path, masks: Sequence[PurePath], tally: Tally) -> Parsed:
    images = []
    for relative, (size, runs, is_varied) in _open_all(path, masks, _read_inside, in_folders=True).items():
        if is_varied:
            tally.add("mask", "with more than one value inside, which all count alike", str(relative))
        category, name = relative.parts[0], "/".join(PurePath(*relative.parts[1:]).with_suffix("").parts)
        images.append(ParsedImage(name, str(relative), ((category, runs),), size, is_stem=True))
    return Parsed(tuple(images))


def _read_inside(image: Image.Image) -> tuple[Size, RunLengths, bool]:
    """Size, what is inside, and whether there are different values there."""
    values = pixel_values(image)
    mask = values != 0
    is_varied = bool((mask & (values != values.max())).any())
    return (mask.shape[0], mask.shape[1]), encode_mask(mask), is_varied


def _open_all(
    path: Path, masks: Sequence[PurePath], read: Callable[[Image.Image], Content], *, in_folders: bool = False
) -> dict[PurePath, Content]:
    """Contents by file.

    Raises:
        DatasetError: Files that cannot be read; all are listed.
    """
    found: dict[PurePath, Content] = {}
    faults = []
    for relative in masks:
        if in_folders and len(relative.parts) == 1:
            faults.append(f"{relative}: it lies in no folder of a category, and no label file names what it holds")
            continue
        try:
            with Image.open(path / relative, formats=("PNG",)) as image:
                _check(image)
                found[relative] = read(image)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            faults.append(f"{relative}: {error}")
    if faults:
        raise faults_error(f"{len(faults)} masks in {path} cannot be used", faults, FIX)
    return found


def _check(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"it has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
    if image.mode not in MODES:
        raise ValueError(f"its mode is {image.mode}: what counts, the colour or the transparency, cannot be told")
