"""What a path names, and the files of a folder without those that operating systems and editors leave in it."""

import os
from pathlib import Path

from evalharness.errors import DatasetError

IMAGE_SUFFIXES = frozenset(
    {
        ".avif", ".bmp", ".dng", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo", ".pfm",
        ".png", ".ppm", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
"""Endings of photos, in lower case; anything else behind a dot is part of the name, as in `scan.2021.0000`."""
SYSTEM_NAMES = frozenset(
    {
        ".appledouble", ".ds_store", ".fseventsd", ".git", ".idea", ".ipynb_checkpoints", ".spotlight-v100", ".trashes",
        ".vscode", "$recycle.bin", "@eadir", "__macosx", "__pycache__", "desktop.ini", "ehthumbs.db", "icon\r",
        "system volume information", "thumbs.db",
    }
)  # fmt: skip
"""Of files and folders, in lower case."""
SYSTEM_PREFIXES = ("._", "~$")


def is_there(path: str | Path) -> bool:
    """Whether there is a file or folder; a text that is too long for a name is none, where `Path.exists` raises."""
    return os.path.exists(path)  # noqa: PTH110


def from_home(written: str) -> str:
    """A path with a leading `~` or `~user` as their home folder: no shell expands it behind a `=`.

    A name that begins with `~` and is no user's, such as `~weights.h5`, stays; so does a path that is there as written.

    Raises:
        ValueError: Both are there.
    """
    at_home = os.path.expanduser(written)  # noqa: PTH111
    if at_home == written or not is_there(written):
        return at_home
    if is_there(at_home):
        raise ValueError(f"can be read in two ways: {at_home}, or {Path.cwd() / written}; write one of them in full")
    return written


def check_annotations_are_there(path: Path) -> None:
    """Refuses `dataset.annotations` that are not there.

    Raises:
        DatasetError: They are not.
    """
    if not path.exists():
        raise DatasetError("there are no annotations at this path", where=path, fix="Check dataset.annotations")


def check_cutouts_are_there(folder: Path) -> None:
    """Refuses `stress.cutouts` that are no folder.

    Raises:
        DatasetError: They are not.
    """
    if not folder.is_dir():
        raise DatasetError("cut-outs not found", expected="a folder", got=folder, where="stress.cutouts")


def list_files(folder: Path, *suffixes: str) -> list[Path]:
    """Files below a folder, sorted; those of the operating system are passed over, with all that is in such a folder.

    Args:
        folder: Searched with its subfolders.
        suffixes: Only files with one of these endings, in either case; all files if there are none.

    Raises:
        DatasetError: The folder cannot be read.
    """
    try:
        found = sorted(file for file in folder.rglob("*") if not _is_of_system(file.relative_to(folder)))
        return [file for file in found if (not suffixes or file.suffix.lower() in suffixes) and file.is_file()]
    except OSError as error:
        raise DatasetError("a folder cannot be read", got=error, where=folder) from error


def _is_of_system(relative: Path) -> bool:
    return any(part.lower() in SYSTEM_NAMES or part.startswith(SYSTEM_PREFIXES) for part in relative.parts)
