"""Pascal VOC: an XML file for each image, with boxes."""

from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from evalharness.annotations.parsed import Parsed, ParsedImage, Tally, faults_error
from evalharness.annotations.shapes import Box, Shape, Size
from evalharness.folders import IMAGE_SUFFIXES, list_files

MAX_BYTES = 1 << 24
FIX = "Correct these files, or export the annotations again."


def read_voc(path: Path) -> Parsed:
    """Reads the XML files of a folder, or one file.

    The image is the one that `filename` names, or, without it, the one named like the XML file; where the two differ,
    both are handed on. Objects without a `bndbox` are counted and left out. Corners count from 1
    and belong to the box, as Pascal VOC has it: a box from xmin 1 to xmax 1 is one pixel wide.

    Args:
        path: The folder, searched with its subfolders, or an XML file.

    Raises:
        DatasetError: Files that cannot be used; all are listed.
    """
    files = [path] if path.is_file() else list_files(path, ".xml")
    images: list[ParsedImage] = []
    faults: list[str] = []
    tally = Tally()
    for file in files:
        relative = file.name if path.is_file() else file.relative_to(path).as_posix()
        try:
            images.append(_read_file(file, relative, tally))
        # An encoding that there is not is a LookupError.
        except (OSError, ValueError, LookupError, ElementTree.ParseError) as error:
            faults.append(f"{relative}: {error}")
    if faults:
        raise faults_error(f"{len(faults)} of {len(files)} files in {path} cannot be used", faults, FIX)
    return Parsed(tuple(images), tally.notes)


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a DOCTYPE: it can define entities that grow without bound, and annotations need none."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:  # noqa: ARG002
        raise ValueError("it has a DOCTYPE, which annotations do not need and which is refused")


def _read_file(file: Path, relative: str, tally: Tally) -> ParsedImage:
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has {file.stat().st_size:,} bytes, more than {MAX_BYTES:,}")
    parser = ElementTree.XMLParser(target=_NoDoctype())  # noqa: S314
    root = ElementTree.fromstring(file.read_bytes(), parser)  # noqa: S314
    if root.tag != "annotation":
        raise ValueError(f"its outermost element is {root.tag!r}, not 'annotation'")
    name, own_name = (root.findtext("filename") or "").strip(), str(PurePosixPath(relative).with_suffix(""))
    shapes: list[tuple[str, Shape]] = []
    for element in root.iter("object"):
        category = _read_category(element)
        if element.find("bndbox") is None:
            tally.add("object", "left out: no bndbox", f"{category!r} ({relative})")
        else:
            shapes.append((category, _read_box(element, category)))
    has_ending = PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
    stem = str(PurePosixPath(name).with_suffix("")) if has_ending else name
    return ParsedImage(
        name=name or own_name,
        where=relative,
        shapes=tuple(shapes),
        size=_read_size(root),
        is_stem=not has_ending,
        also_named=own_name if name and stem != own_name else None,
    )


def _read_size(root: ElementTree.Element) -> Size | None:
    sides = []
    for side in ("height", "width"):
        text = root.findtext(f"size/{side}") or 0
        try:
            sides.append(int(float(text)))
        except (ValueError, OverflowError):
            raise ValueError(f"its size/{side} is {text!r}, not a number of pixels") from None
    return (sides[0], sides[1]) if all(sides) else None


def _read_category(element: ElementTree.Element) -> str:
    category = (element.findtext("name") or "").strip()
    if not category:
        raise ValueError("an object has no name")
    return category


def _read_box(element: ElementTree.Element, category: str) -> Box:
    corners = []
    for side in ("xmin", "ymin", "xmax", "ymax"):
        try:
            corners.append(float(element.findtext(f"bndbox/{side}") or ""))
        except ValueError:
            raise ValueError(f"the object {category!r} has no number in bndbox/{side}") from None
    left, top, right, bottom = corners
    return Box(left - 1, top - 1, right - left + 1, bottom - top + 1)
