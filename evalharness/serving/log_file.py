"""An append-only file of JSON lines: each is on the disk before anybody is told, and a half one is cut off."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from evalharness.console import warn
from evalharness.errors import ConfigError, ResultsError

NAME = "verdicts.jsonl"


class LogFile:
    """The file, held by one process.

    Args:
        folder: Made if it is not there.

    Raises:
        ConfigError: Another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / NAME
        self._lock = FileLock(folder / f"{NAME}.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise ConfigError(
                "the log is in use", expected="one bench a log", got="another `evalharness serve`", where=folder,
                fix="End it, or set serve.log",
            ) from None  # fmt: skip
        self._file = self.path.open("ab", buffering=0)
        _sync_folder(folder)
        self._cut_half_line()

    def append(self, line: Mapping[str, Any]) -> None:
        """Adds a line, and returns when it is on the disk.

        Raises:
            OSError: It cannot be written; nothing of it is left.
        """
        size = os.fstat(self._file.fileno()).st_size
        content = json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            while content:
                content = content[self._file.write(content) :]
            os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), size)
            raise

    def close(self) -> None:
        """Lets another process have it."""
        self._file.close()
        self._lock.release()

    def _cut_half_line(self) -> None:
        whole = size = self.path.stat().st_size
        with self.path.open("rb") as file:
            while whole:
                start = max(0, whole - 4096)
                file.seek(start)
                newline = file.read(whole - start).rfind(b"\n")
                if newline >= 0:
                    whole = start + newline + 1
                    break
                whole = start
        if whole < size:
            os.ftruncate(self._file.fileno(), whole)
            os.fsync(self._file.fileno())
            warn(f"{self.path}: the last line was not whole and is cut off; nobody was told what it said")


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a log, in order; a half one at the end is passed over.

    Raises:
        ResultsError: A line is damaged.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                values = json.loads(line)
            except ValueError:
                values = None
            if not isinstance(values, dict) or values.get("type") not in ("start", "verdict", "correction"):
                raise ResultsError(
                    "a line of the log is damaged", where=f"{path}, line {number}",
                    fix="Mend or remove the line, or set serve.log to begin a new log",
                )  # fmt: skip
            yield values


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
