"""Names that annotation tools give to images, and what the images were called before."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

_ROBOFLOW = re.compile(r"(?P<stem>.+)_(?P<ending>[A-Za-z0-9]{2,5})\.rf\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9]+)?")
_HASHED = re.compile(r"[0-9a-f]{8}(?:[0-9a-f]{24})?-(?P<name>.+)")


def earlier_names(name: str) -> Iterator[tuple[str, str]]:
    """What the image may have been called before a tool renamed it, each with what was undone.

    Args:
        name: As the annotations call the image, with `/` between folders.
    """
    yield from _undone(name, "")
    decoded = _decoded(name)
    if decoded != name:
        yield decoded, "an address"
        yield from _undone(decoded, "an address and ")


def _undone(name: str, also: str) -> Iterator[tuple[str, str]]:
    folder, slash, last = name.rpartition("/")
    if found := _ROBOFLOW.fullmatch(last):
        yield f"{folder}{slash}{found['stem']}.{found['ending']}", f"{also}Roboflow's ending .rf.<hash>"
    if found := _HASHED.fullmatch(last):
        yield f"{folder}{slash}{found['name']}", f"{also}the hash that Label Studio puts before a name"


def _decoded(name: str) -> str:
    """The path in an address: Label Studio's `?d=`, or what stands behind the server; %-escapes as characters."""
    parts = urlsplit(name)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0].replace("\\", "/")
    path = parts.path if parts.scheme in ("http", "https", "file", "s3", "gs") else name
    return unquote(path)
