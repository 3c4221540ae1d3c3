"""Names that annotation tools give to images, and what the images were called before."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from evalharness.folders import IMAGE_SUFFIXES

_ENDINGS = "|".join(sorted(suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES))
_ROBOFLOW = re.compile(rf"(?P<stem>.+?)(?:_(?P<ending>(?i:{_ENDINGS})))?\.rf\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9]+)?")
_STEM_AND_ENDING = re.compile(rf"(?P<stem>.+)_(?P<ending>(?i:{_ENDINGS}))")
# Not a date: 20240131-0001.jpg is a name of its own.
_DATE = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_HASHED = re.compile(rf"(?!{_DATE}-)(?:[0-9a-f]{{8}}(?:[0-9a-f]{{24}})?-|[0-9a-f]{{6,8}}__)(?P<name>.+)")
_MASK = re.compile(r"(?P<name>.+?)[_-](?i:masks?|seg|segmentation|gt|labels?|annotations?)")
_LOCAL_FILE = re.compile(r"[?&]d=(?P<path>.+)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:/(?P<path>[^?#]+)")

ROBOFLOW = "Roboflow's ending .rf.<hash>"
LABEL_STUDIO = "the hash that Label Studio puts before a name"


@dataclass(frozen=True, slots=True)
class EarlierName:
    """What an image may have been called before."""

    name: str
    undone: str
    """What was undone, as a noun."""
    is_flat: bool = False
    """Whether the tool keeps images in a folder of its own, so that the folder tells nothing."""


def earlier_names(name: str, *, is_stem: bool = False) -> Iterator[EarlierName]:
    """What the image may have been called before a tool renamed it, each with what was undone.

    Args:
        name: As the annotations call the image, with `/` between folders.
        is_stem: Whether it is the name of an annotation file of the image's own.
    """
    stripped = "/".join(part.strip() for part in name.split("/"))
    if stripped != name:
        yield EarlierName(stripped, "spaces around the name")
    yield from _undone(stripped, "", is_stem=is_stem, is_flat=True)
    is_local = _LOCAL_FILE.search(stripped) is not None
    for decoded in _decoded(stripped):
        yield EarlierName(decoded, "an address")
        yield from _undone(decoded, "an address and ", is_stem=is_stem, is_flat=not is_local)


def as_roboflow_writes(path: str) -> str:
    """A path with a hyphen for any run of characters that are neither letters, digits, `_`, nor the ending's dot."""
    return _each_stem(path, lambda stem: re.sub(r"[^\w]+", "-", stem))


def as_label_studio_writes(path: str) -> str:
    """A path with `_` for spaces, without any other character that is neither letter, digit, `_`, `-` nor dot."""
    return _each_stem(path, lambda stem: re.sub(r"[^-\w.]", "", stem.strip().replace(" ", "_")))


def split_ending(path: str) -> tuple[str, str]:
    """A path and its ending, if that is one of photos: what else stands behind a dot is part of the name."""
    stem, dot, ending = path.rpartition(".")
    is_photo = bool(stem) and not stem.endswith("/") and f".{ending.lower()}" in IMAGE_SUFFIXES
    return (stem, dot + ending) if is_photo else (path, "")


def _each_stem(path: str, change: Callable[[str], str]) -> str:
    stem, ending = split_ending(path)
    return "/".join(change(part) for part in stem.split("/")) + ending


def _undone(name: str, also: str, *, is_stem: bool, is_flat: bool) -> Iterator[EarlierName]:
    folder, slash, last = name.rpartition("/")
    found: list[tuple[str, str]] = []
    if match := _ROBOFLOW.fullmatch(last):
        stem, ending = match["stem"], match["ending"]
        found.append((f"{stem}.{ending}" if ending else stem, ROBOFLOW))
        if twice := _STEM_AND_ENDING.fullmatch(stem):
            found.append((f"{twice['stem']}.{twice['ending']}", ROBOFLOW))
    if match := _HASHED.fullmatch(last):
        found.append((match["name"], LABEL_STUDIO))
    for earlier, undone in found:
        yield EarlierName(f"{folder}{slash}{earlier}", also + undone, is_flat)
    stem, ending = split_ending(last)
    if is_stem and (match := _MASK.fullmatch(stem)):
        yield EarlierName(f"{folder}{slash}{match['name']}{ending}", f"{also}an ending such as _mask")


def _decoded(name: str) -> list[str]:
    """The path in an address: Label Studio's `?d=`, or what stands behind the server; %-escapes as characters."""
    address = _LOCAL_FILE.search(name) or _ADDRESS.match(name)
    if address is None:
        forms = [unquote(name)]
    else:
        # A plus sign stands for a space in some addresses, and for itself in others.
        forms = [unquote(address["path"]), unquote(address["path"].replace("+", " "))]
    return [form for form in dict.fromkeys(form.replace("\\", "/") for form in forms) if form != name]
