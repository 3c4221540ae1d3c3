"""Every verdict and every correction: on the disk in full, in memory only what the page shows."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from evalharness.errors import ResultsError
from evalharness.serving.log_file import LogFile, read_lines
from evalharness.serving.refusals import RefusalError

BELIEFS = ("believe", "check", "unknown")
NUM_RECENT = 50
BIN_S = 600
NUM_BINS = 48
"""Of ten minutes each: a shift of eight hours."""
WatchedFile = tuple[str, int, int]
"""Name, size in bytes, time of its last change in ns."""
Said = tuple[str, str | None]
"""Belief and class of a verdict."""


class VerdictLog:
    """The log of one bench.

    Args:
        folder: Of the log.

    Raises:
        ConfigError: Another process holds it.
        ResultsError: It is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._file = LogFile(folder)
        self._lock = Lock()
        self._said: list[Said] = []
        self._distinct: dict[Said, Said] = {}
        self._recent: deque[dict[str, Any]] = deque(maxlen=NUM_RECENT)
        self._corrections: dict[int, dict[str, Any]] = {}
        self._bins: OrderedDict[int, list[int]] = OrderedDict()
        self.watched: set[WatchedFile] = set()
        """Files of the watched folder that an earlier bench judged."""
        try:
            for line in read_lines(self.path):
                self._remember(line)
                if line.get("watched"):
                    self.watched.add(tuple(line["watched"]))
        except BaseException:
            self._file.close()
            raise

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._file.path

    @property
    def next_id(self) -> int:
        """Of the next verdict; they count from 1."""
        return len(self._said) + 1

    def start(self, values: Mapping[str, Any]) -> None:
        """Says what begins to judge."""
        self._append({"type": "start", "time": _now(), **values})

    def add_verdict(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Logs a verdict; when this returns, it is on the disk.

        Args:
            values: All but its id and time.
        """
        return self._append({"type": "verdict", "id": self.next_id, "time": _now(), **values})

    def add_correction(self, number: int, *, is_right: bool | None, class_name: str | None) -> dict[str, Any]:
        """Logs what a person says of a verdict; a later correction replaces an earlier one.

        Args:
            number: Of the verdict.
            is_right: None where a class is given.
            class_name: What it is.

        Raises:
            RefusalError: There is no such verdict, or it names no class that could be right or wrong.
        """
        if not 1 <= number <= len(self._said):
            raise RefusalError(404, "no_verdict", "there is no such verdict", got=number)
        if class_name is None and self._said[number - 1][1] is None:
            raise RefusalError(
                422, "no_class", "this verdict names no class that could be right or wrong", fix="Say which class it is"
            )
        return self._append(
            {"type": "correction", "verdict": number, "time": _now(), "is_right": is_right, "class": class_name}
        )

    def verdicts_after(self, number: int) -> list[dict[str, Any]]:
        """The newest verdicts with a greater id, each with its correction, oldest first."""
        with self._lock:
            return [self.answer(line) for line in self._recent if line["id"] > number]

    def answer(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """What is told of a verdict: the line without what only the log needs, and its correction."""
        told = {name: value for name, value in line.items() if name not in ("type", "watched", "is_kept")}
        return told | {"correction": self._corrections.get(line["id"])}

    def summary(self) -> dict[str, Any]:
        """Counts and trend of the last eight hours, and what people said of all verdicts."""
        first = _bin(_now()) - (NUM_BINS - 1) * BIN_S
        with self._lock:
            bins = {start: list(counts) for start, counts in self._bins.items() if start >= first}
            said = [(*self._said[number - 1], found) for number, found in self._corrections.items()]
        believed = [not _agrees(class_name, found) for belief, class_name, found in said if belief == "believe"]
        return {
            "num_verdicts": len(self._said),
            "counts": {name: sum(counts[place] for counts in bins.values()) for place, name in enumerate(BELIEFS)},
            "trend": {"first": first, "bin_s": BIN_S, "num_bins": NUM_BINS, "bins": bins},
            "said": {"num": len(said), "num_believed": len(believed), "num_believed_wrong": sum(believed)},
        }

    def close(self) -> None:
        """Lets another process have the file."""
        self._file.close()

    def _append(self, line: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._file.append(line)
            self._remember(line)
        return line

    def _remember(self, line: dict[str, Any]) -> None:
        if line["type"] == "verdict":
            if line["id"] != self.next_id:
                raise ResultsError(
                    "the log is damaged", expected=f"verdict {self.next_id}", got=line["id"], where=self.path,
                    fix="Set serve.log to begin a new log",
                )  # fmt: skip
            said = (line["belief"], line["class"])
            self._said.append(self._distinct.setdefault(said, said))
            self._recent.append(line)
            self._bins.setdefault(_bin(line["time"]), [0] * len(BELIEFS))[BELIEFS.index(said[0])] += 1
            while len(self._bins) > NUM_BINS:
                self._bins.popitem(last=False)
        elif line["type"] == "correction":
            self._corrections[line["verdict"]] = {"is_right": line["is_right"], "class": line["class"]}


def _agrees(class_name: str | None, correction: Mapping[str, Any]) -> bool:
    """Whether a person says that the verdict is right."""
    return bool(correction["is_right"]) if correction["class"] is None else correction["class"] == class_name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _bin(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) // BIN_S * BIN_S
