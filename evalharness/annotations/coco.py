"""COCO JSON: boxes, polygons and run lengths, both compressed and not."""

import json
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.annotations.coco_ids import Id, IdTable, read_id
from evalharness.annotations.coco_shapes import read_shape
from evalharness.annotations.parsed import Parsed, ParsedImage, Tally, faults_error, read_text, show
from evalharness.annotations.shapes import Shape, ShapeError, Size
from evalharness.errors import DatasetError

FIX = "Correct these entries, or export the annotations again."
FIX_IDS = (
    "This is what two exports look like that were joined as text: their ids start again. Join them with a tool that "
    "gives new ids, or export them together."
)
SAME_TYPE = "taken for the same id, one being a number and the other text"


@dataclass(slots=True)
class _Image:
    """An entry of `images`."""

    name: str
    size: Size | None
    where: str


@dataclass(slots=True)
class _Findings:
    """What is told once the whole file is read."""

    faults: list[str]
    """Entries that mean nothing, or contradict each other."""
    repeats: list[str]
    """Ids that stand for different things."""
    tally: Tally


def read_coco(path: Path) -> Parsed:
    """Reads `images`, `categories` and `annotations` of a COCO file.

    An annotation's `segmentation` counts, or its `bbox` where there is none or it has no inside. Crowds (`iscrowd`) are
    regions like any other. Coordinates are pixels of the file as stored. Annotations whose image or category is not
    listed, or which cover nothing, are counted and left out, and so are images without a name; a photo that is listed
    twice has the annotations of both entries.

    Args:
        path: The JSON file.

    Raises:
        DatasetError: Not a COCO file, entries that contradict each other, ids that stand for two things, or nothing
            that can be used; all are listed.
    """
    content = _load(path)
    findings = _Findings([], [], Tally())
    categories = _read_categories(content["categories"], findings)
    images = _read_images(content["images"], findings)
    shapes = _read_annotations(content["annotations"], images, categories, findings)
    parsed = _join_by_name(images, shapes, findings)
    if findings.repeats:
        what = f"ids that stand for more than one thing in {path} ({len(findings.repeats):,})"
        raise faults_error(what, findings.repeats, FIX_IDS)
    if findings.faults:
        raise faults_error(f"{len(findings.faults):,} entries of {path} cannot be used", findings.faults, FIX)
    if content["annotations"] and not any(shapes.values()):
        what = f"none of the {len(content['annotations']):,} annotations of {path} can be used"
        raise faults_error(what, findings.tally.notes, FIX)
    return Parsed(parsed, findings.tally.notes)


def _load(path: Path) -> dict[str, list[dict[str, Any]]]:
    expected = "a COCO file: an object with the lists `images`, `annotations` and `categories`"
    try:
        content = json.loads(read_text(path), object_pairs_hook=_refuse_repeated_keys)
    except (ValueError, RecursionError) as error:
        raise DatasetError("the annotations cannot be read", expected=expected, got=error, where=path) from error
    for key in ("images", "annotations", "categories"):
        entries = content.get(key) if isinstance(content, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise DatasetError("the annotations cannot be read", expected=expected, got=f"no list {key!r}", where=path)
    return dict(content)


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python would keep the last of two lists `images`, and never say so."""
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"an object with the key {show(next(key for key in counts if counts[key] > 1))} twice")
    return content


def _read_categories(entries: Sequence[Mapping[str, Any]], findings: _Findings) -> IdTable[str]:
    names: IdTable[str] = IdTable()
    for entry in entries:
        name, category_id = entry.get("name"), read_id(entry.get("id"))
        text = "" if name is None else str(name).strip()
        if not text:
            continue
        if category_id is None:
            got = show(entry.get("id"))
            findings.faults.append(f"category {show(name)}: its id is {got}, not a number or text")
        elif isinstance(name, list | dict):
            findings.faults.append(f"category {show(category_id)}: its name is {show(name)}, not text")
        elif "\0" in text:
            findings.faults.append(f"category {show(name)}: its name contains a NUL character")
        elif names.get(category_id, text) != text:
            findings.repeats.append(f"category id {show(category_id)}: {show(names[category_id])} and {show(text)}")
        else:
            names[category_id] = text
    _check_types(names, dict(names.items()), "category", findings)
    _tell_shared_names(names, findings)
    return names


def _check_types(table: IdTable[Any], names: Mapping[Id, str], unit: str, findings: _Findings) -> None:
    """Finds a number and the same number as text that stand for different things."""
    for number, text in table.differ_in_type_only():
        if names[number] != names[text]:
            both = f"{show(names[number])} and {show(names[text])}"
            findings.repeats.append(f"{unit} ids {show(number)} and {show(text)}, apart only by type: {both}")


def _tell_shared_names(names: IdTable[str], findings: _Findings) -> None:
    by_name = defaultdict(list)
    for category_id, text in names.items():
        by_name[text].append(show(category_id))
    for text, ids in by_name.items():
        if len(ids) > 1:
            described = f"{text!r} (ids {' and '.join(ids)})"
            findings.tally.add("name", "of more than one category, which count as one", described)


def _read_images(entries: Sequence[Mapping[str, Any]], findings: _Findings) -> IdTable[_Image]:
    images: IdTable[_Image] = IdTable()
    for number, entry in enumerate(entries, start=1):
        name, image_id = entry.get("file_name"), read_id(entry.get("id"))
        if image_id is None:
            where, got = f"image {show(name)} (entry {number})", show(entry.get("id"))
            findings.faults.append(f"{where}: its id is {got}, not a number or text")
            continue
        where = f"image {image_id if isinstance(image_id, int) else show(image_id)}"
        size = _read_size(entry, where, findings)
        if name is None or name == "":
            findings.tally.add("image", "without a file_name left out", where)
        elif not isinstance(name, str):
            findings.faults.append(f"{where}: its file_name is {show(name)}, not text")
        elif image_id not in images:
            images[image_id] = _Image(name, size, where)
        elif _normalise(images[image_id].name) != _normalise(name):
            findings.repeats.append(f"image id {show(image_id)}: {show(images[image_id].name)} and {show(name)}")
        else:
            findings.tally.add("image", "listed twice with the same id and file name, and read once", where)
            images[image_id].size = _agree(images[image_id], _Image(name, size, where), findings)
    _check_types(images, {found: _normalise(image.name) for found, image in images.items()}, "image", findings)
    return images


def _read_size(entry: Mapping[str, Any], where: str, findings: _Findings) -> Size | None:
    """(height, width), None where the file does not say."""
    height, width = entry.get("height"), entry.get("width")
    if not height or not width:
        return None
    try:
        return _read_pixels(height), _read_pixels(width)
    except (TypeError, ValueError, OverflowError):
        got = f"height {show(height)} and width {show(width)}"
        findings.faults.append(f"{where}: {got} are not numbers of pixels")
        return None


def _read_pixels(value: Any) -> int:
    number = int(value)
    if number < 0 or float(number) != float(value):
        raise ValueError(f"{value} is not a number of pixels")
    return number


def _agree(first: _Image, second: _Image, findings: _Findings) -> Size | None:
    """The size that two entries of one photo give."""
    if first.size and second.size and first.size != second.size:
        sizes = " and ".join(f"{size[1]} x {size[0]}" for size in (first.size, second.size))
        findings.faults.append(f"{show(first.name)} ({first.where} and {second.where}): its size is {sizes} pixels")
    return first.size or second.size


def _read_annotations(
    entries: Sequence[Mapping[str, Any]], images: IdTable[_Image], categories: IdTable[str], findings: _Findings
) -> dict[Id, list[tuple[str, Shape]]]:
    """Categories and shapes by the id of the image."""
    shapes: dict[Id, list[tuple[str, Shape]]] = {image_id: [] for image_id, _ in images.items()}
    seen: dict[Id, tuple[int, Mapping[str, Any]]] = {}
    for number, entry in enumerate(entries, start=1):
        annotation_id = read_id(entry.get("id"))
        where = f"annotation {number} of the list" if annotation_id is None else f"annotation {annotation_id}"
        if annotation_id is not None and annotation_id in seen:
            first, other = seen[annotation_id]
            if _means_the_same(entry, other):
                findings.tally.add("annotation", "repeated word for word and read once", where)
            else:
                findings.repeats.append(
                    f"annotation id {show(annotation_id)}: entries {first} and {number} of the list"
                )
            continue
        if annotation_id is not None:
            seen[annotation_id] = number, entry
        try:
            image_id = _find(entry, "image_id", images, where, findings)
            category_id = _find(entry, "category_id", categories, where, findings)
            if image_id is None or category_id is None:
                continue
            shape = read_shape(entry, images[image_id].size, findings.tally, where)
        except (ShapeError, ValueError, OverflowError) as error:
            findings.faults.append(f"{where}: {error}")
            continue
        if shape is None:
            findings.tally.add("annotation", "left out: neither a segmentation that is an area nor a bbox", where)
        else:
            shapes[image_id].append((categories[category_id], shape))
    return shapes


def _means_the_same(entry: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(entry.get(key) == other.get(key) for key in ("image_id", "category_id", "segmentation", "bbox"))


def _find(entry: Mapping[str, Any], key: str, table: IdTable[Any], where: str, findings: _Findings) -> Id | None:
    """The id in a table that an annotation refers to; None, counted, if there is none."""
    wanted = read_id(entry.get(key))
    found = None if wanted is None else table.find(wanted)
    listed = "is not among the images" if key == "image_id" else "has no name among the categories"
    if wanted is None and entry.get(key) is not None:
        raise ValueError(f"{key} {show(entry[key])} {listed}: it is not a number or text")
    if found is None:
        what = f"left out: the {key} {listed}"
        findings.tally.add("annotation", what, f"{where} ({show(entry.get(key))})")
    elif isinstance(found, str) != isinstance(wanted, str):
        findings.tally.add(key, SAME_TYPE, f"{where} ({show(wanted)} for {show(found)})")
    return found


def _join_by_name(
    images: IdTable[_Image], shapes: Mapping[Id, Sequence[tuple[str, Shape]]], findings: _Findings
) -> tuple[ParsedImage, ...]:
    """An image for each file name; a photo that is listed twice has what both entries have."""
    by_name: dict[str, list[Id]] = defaultdict(list)
    for image_id, image in images.items():
        by_name[_normalise(image.name)].append(image_id)
    joined = []
    for several in by_name.values():
        first = images[several[0]]
        for image_id in several[1:]:
            first.size = _agree(first, images[image_id], findings)
            first.where += f" and {images[image_id].where}"
        if len(several) > 1:
            what = "listed more than once; the annotations of all entries put together"
            findings.tally.add("photo", what, f"{first.name!r} ({first.where})")
        found = tuple(shape for image_id in several for shape in shapes[image_id])
        joined.append(ParsedImage(first.name, first.where, found, first.size))
    return tuple(joined)


def _normalise(name: str) -> str:
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))
