"""Verdicts and corrections as tables: all of them, and those that tell a photo's class for the next evaluation."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.errors import ConfigError
from evalharness.serving.kept_photos import find_photos
from evalharness.serving.log_file import NAME, read_lines

COLUMNS = (
    "id", "time", "image", "source", "sha256", "run", "belief", "class", "confidence", "risk", "said", "said_class",
    "reasons",
)  # fmt: skip
NEXT, MISSING, ALL = "next_evaluation.csv", "missing_photos.csv", "verdicts.csv"
SAID: Mapping[bool | None, str] = {True: "right", False: "wrong", None: ""}
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class ExportedLog:
    """What was written."""

    num_verdicts: int
    num_labelled: int
    """Photos whose class a person told, and that are kept."""
    num_missing: int
    """Photos whose class a person told, and that are not there."""


def csv_lines(path: Path) -> Iterator[str]:
    """Every verdict of a log with what a person said of it, as lines of CSV; few are in memory."""
    said = _corrections(path)
    yield _line(COLUMNS)
    for verdict in _verdicts(path):
        correction = said.get(verdict["id"], {})
        row = {
            **verdict,
            "reasons": "; ".join(verdict["reasons"]),
            "said": SAID[correction.get("is_right")],
            "said_class": true_class(verdict, correction),
        }
        yield _line([_plain(row[name]) for name in COLUMNS])


def true_class(verdict: Mapping[str, Any], correction: Mapping[str, Any]) -> str | None:
    """The class that a person told, by naming it or by saying that the verdict is right."""
    found = correction.get("class") or (verdict["class"] if correction.get("is_right") else None)
    return None if found is None else str(found)


def export_log(log: Path, folder: Path) -> ExportedLog:
    """Writes a log for the next evaluation.

    Args:
        log: Folder of the log.
        folder: For three tables: `verdicts.csv`; `next_evaluation.csv` (path, label), which `evalharness run` reads;
            `missing_photos.csv`, photos with a label that were not kept.

    Raises:
        ConfigError: The folder holds something else.
        ResultsError: The log is damaged.
    """
    others = (
        [path.name for path in folder.iterdir() if path.name not in (NEXT, MISSING, ALL)] if folder.exists() else []
    )
    if others:
        raise ConfigError(
            "export would mix with other files", expected="a new or empty folder", got=others[0], where=folder,
            fix="Name another folder",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = log / NAME
    said, photos = _corrections(path), _kept_photos(path)
    labelled: dict[str, tuple[str, str]] = {}
    missing: dict[str, tuple[str, str]] = {}
    num_verdicts = 0
    for verdict in _verdicts(path):
        num_verdicts += 1
        label = true_class(verdict, said.get(verdict["id"], {}))
        if label is None:
            continue
        digest = verdict["sha256"]
        photo = photos.get(digest)
        # Of a photo that was judged twice, what was said of the last verdict counts.
        if photo is not None:
            labelled[digest] = (str(photo.absolute()), label)
        else:
            missing[digest] = (verdict["image"], label)
    (folder / ALL).write_text("".join(csv_lines(path)), encoding="utf-8")
    _write(folder / NEXT, ("path", "label"), list(labelled.values()))
    _write(folder / MISSING, ("image", "label", "sha256"), [(*row, digest) for digest, row in missing.items()])
    return ExportedLog(num_verdicts, len(labelled), len(missing))


def _verdicts(path: Path) -> Iterator[dict[str, Any]]:
    return (line for line in read_lines(path) if line["type"] == "verdict")


def _corrections(path: Path) -> dict[int, dict[str, Any]]:
    """By verdict; the last one counts."""
    return {line["verdict"]: line for line in read_lines(path) if line["type"] == "correction"}


def _kept_photos(path: Path) -> dict[str, Path]:
    """By digest; one that was kept in several folders, in the newest."""
    found = [line["keep"] for line in read_lines(path) if line["type"] == "start" and line["keep"]]
    return {digest: photo for name in found for digest, photo in find_photos(Path(name)).items()}


def _write(path: Path, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.write_text("".join(map(_line, [columns, *rows])), encoding="utf-8")


def _plain(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value


def _line(values: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(values)
    return buffer.getvalue()
