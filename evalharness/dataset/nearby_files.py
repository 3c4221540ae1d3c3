"""Where a path leads to nothing: what is there under nearly that name, or why it cannot be there."""

import os
import re
import unicodedata
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Literal

UNICODE_FORMS: tuple[Literal["NFC"], Literal["NFD"]] = ("NFC", "NFD")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
MAX_FOLDERS = 64


def describe_missing(path: Path) -> str:
    """Why there is no file at a path, with what is there under nearly the same name."""
    if path.is_symlink():
        return f"it is a symbolic link to a file that is not there ({path.readlink()})"
    for form in UNICODE_FORMS:
        if (path.parent / unicodedata.normalize(form, path.name)).exists():
            return f"no such file; there is one whose name looks the same, written in Unicode's {form}"
    if "\\" in str(path) and os.sep == "/":
        return "no such file; write the path with / instead of \\"
    found = _in_another_case(path)
    if found is not None:
        return f"no such file; there is {_told(found, path)}, whose name differs in upper and lower case"
    others = _with_another_ending(path)
    if others:
        return f"no such file; there is {' and '.join(others)}"
    return "no such file"


def foreign_path(text: str, root: Path) -> str | None:
    """Why a path cannot be one of this machine; None where it may be.

    Args:
        text: As the CSV has it.
        root: Paths resolve against it.
    """
    if ADDRESS.match(text):
        return "it is an address, and images are not fetched: download them, and write their paths"
    is_windows = WINDOWS.match(text) is not None and os.sep == "/"
    if not is_windows and not _begins_elsewhere(Path(text)):
        return None
    tail = _tail_below(PureWindowsPath(text).parts if is_windows else Path(text).parts, root)
    reason = f"it is a path of {'a Windows' if is_windows else 'another'} machine"
    if tail is None:
        return f"{reason}; no end of it is a file below dataset.root ({root})"
    return f"{reason}; its end {tail} is a file below dataset.root"


def _begins_elsewhere(path: Path) -> bool:
    """Whether an absolute path begins with folders that are not there, such as `/Users/me`."""
    return path.is_absolute() and not Path(*path.parts[: min(3, len(path.parts) - 1)]).exists()


def _tail_below(parts: tuple[str, ...], root: Path) -> str | None:
    """The longest end of a path that is a file below the root."""
    for start in range(1, len(parts)):
        tail = "/".join(parts[start:])
        if ".." not in parts[start:] and (root / tail).is_file():
            return tail
    return None


def _in_another_case(path: Path) -> Path | None:
    """The one file whose path, its folders included, differs in case only; None if there is none, or are several."""
    missing: list[str] = []
    folder = path
    while not folder.is_dir():
        if folder == folder.parent:
            return None
        missing.insert(0, folder.name)
        folder = folder.parent
    found = [folder]
    for name in missing:
        found = [known / entry for known in found for entry in _names(known) if _folded(entry) == _folded(name)]
    return found[0] if len(found) == 1 and found[0].is_file() else None


def _with_another_ending(path: Path) -> list[str]:
    stem = _folded(path.stem.strip())
    return [name for name in _names(path.parent) if _folded(Path(name).stem) == stem][:2]


def _told(found: Path, path: Path) -> str:
    """The part of a path that differs."""
    differing = sum(one != other for one, other in zip(found.parts, path.parts, strict=True))
    first = next(index for index in range(len(path.parts)) if found.parts[index] != path.parts[index])
    return found.name if differing == 1 and found.name != path.name else "/".join(found.parts[first:])


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _names(folder: Path) -> tuple[str, ...]:
    """Of everything in a folder; listed once until it changes, since all photos of a folder may be missing."""
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return ()


@lru_cache(MAX_FOLDERS)
def _listed(folder: Path, changed_ns: int) -> tuple[str, ...]:
    del changed_ns
    return tuple(sorted(entry.name for entry in folder.iterdir()))
