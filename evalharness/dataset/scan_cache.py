"""Remembers what the scan found, by path, size and time of change, in one SQLite file that processes share."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from evalharness import console
from evalharness.records import ImageInfo

FILE_NAME = "images.sqlite"
SCHEMA_VERSION = 1
LOCK_TIMEOUT_S = 30
CREATE = """
CREATE TABLE images (
    path TEXT NOT NULL, is_decoded INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, mode TEXT NOT NULL,
    image_format TEXT NOT NULL, exif_orientation INTEGER NOT NULL, num_frames INTEGER NOT NULL,
    PRIMARY KEY (path, is_decoded)
) WITHOUT ROWID"""
SELECT = """
SELECT size, mtime_ns, sha256, width, height, mode, image_format, exif_orientation, num_frames
FROM images WHERE path = ? AND is_decoded >= ? ORDER BY is_decoded"""
INSERT = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What identifies the content of a file without reading it."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """A file that was found to be good."""

    path: Path
    stamp: Stamp
    info: ImageInfo


class ScanCache:
    """The cache as a context manager.

    A damaged file, or one of another version, is rebuilt. Any other trouble (no permission, a full disk, a lock that
    is never released) is told once and switches the cache off: it saves time, and is never worth a failure.

    Args:
        folder: Where the file lives; created if need be.
        is_decoded: Whether entries must stand for a full decode.
    """

    def __init__(self, folder: Path, *, is_decoded: bool) -> None:
        self._is_decoded = is_decoded
        self._connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f"{FILE_NAME}.lock", timeout=LOCK_TIMEOUT_S):
                self._connection = _open_or_rebuild(folder / FILE_NAME)
        except (OSError, sqlite3.Error) as error:
            self._switch_off(error)

    def __enter__(self) -> "ScanCache":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def find(self, paths: Iterable[Path]) -> dict[Path, list[ScannedImage]]:
        """Returns what is known of each path; the stamps are for the caller to compare."""
        known: dict[Path, list[ScannedImage]] = {}
        if self._connection is None:
            return known
        try:
            for path in paths:
                rows = self._connection.execute(SELECT, (str(path), int(self._is_decoded))).fetchall()
                known[path] = [ScannedImage(path, Stamp(*row[:2]), ImageInfo(*row[2:])) for row in rows]
        except (sqlite3.Error, UnicodeError) as error:
            self._switch_off(error)
        return known

    def add(self, images: Iterable[ScannedImage]) -> None:
        """Stores images, all or none of them."""
        if self._connection is None:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(INSERT, [_as_row(image, is_decoded=self._is_decoded) for image in images])
            self._connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError) as error:
            self._switch_off(error)

    def _switch_off(self, error: Exception) -> None:
        console.warn(f"the cache of checked images cannot be used ({error}); images are read again")
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _as_row(image: ScannedImage, *, is_decoded: bool) -> tuple[object, ...]:
    info = image.info
    return (
        *(str(image.path), int(is_decoded), image.stamp.size, image.stamp.mtime_ns),
        *(info.sha256, info.width, info.height, info.mode, info.image_format, info.exif_orientation, info.num_frames),
    )


def _open_or_rebuild(file: Path) -> sqlite3.Connection:
    """Opens the database; the caller holds the lock, so that only one process finds it damaged and replaces it."""
    try:
        return _open(file)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        for leftover in (file, file.with_name(f"{file.name}-journal")):
            leftover.unlink(missing_ok=True)
        return _open(file)


def _open(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=LOCK_TIMEOUT_S, isolation_level=None)
    try:
        _check_content(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_content(connection: sqlite3.Connection) -> None:
    """Raises `sqlite3.DatabaseError` if the file is damaged; creates the table where there is none of this version."""
    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError("the file is damaged")
    if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DROP TABLE IF EXISTS images")
        connection.execute(CREATE)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
