"""Which rows of the CSV an annotated image is: by path, by the end of a path, or by the bare file name."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from evalharness.annotations.parsed import ParsedImage, faults_error
from evalharness.records import Sample

MAX_NAMED = 4


@dataclass(frozen=True, slots=True)
class Matches:
    """Annotated images and the rows that they are."""

    by_row: dict[str, list[ParsedImage]]
    """By `row_id`, rows with annotations only; more than one where a format has a file for each category."""
    unmatched: tuple[str, ...]
    """Names of annotated images that no row has."""


def match_images(images: Sequence[ParsedImage], samples: Sequence[Sample]) -> Matches:
    """Finds the rows of each annotated image.

    In this order: the path as written in the CSV; the end of a row's path that the name makes up, by whole folders; the
    end of the name that a row's path as written makes up. Rows that share a file share its annotations.

    Args:
        images: As read.
        samples: The rows.

    Raises:
        DatasetError: A name that fits several files, or several names that fit one; all are listed.
    """
    finder = _Finder(samples)
    by_row: dict[str, list[ParsedImage]] = defaultdict(list)
    names: dict[str, dict[str, None]] = defaultdict(dict)
    unmatched: dict[str, None] = {}
    faults: list[str] = []
    for image in images:
        found = finder.find(image)
        paths = sorted({sample.relative_path for sample in found})
        if len({sample.path for sample in found}) > 1:
            fault = f"{image.name!r} ({image.where}) fits {len(paths)} files: {_list(paths)}"
            faults.append(fault)
        elif not found:
            unmatched[image.name] = None
        else:
            names[paths[0]][image.name] = None
            for sample in found:
                by_row[sample.row_id].append(image)
    faults += [f"{_list(list(several))} all fit {path!r}" for path, several in names.items() if len(several) > 1]
    if faults:
        fix = "Name the images in the annotations by the path of the CSV, or by as much of its end as tells them apart."
        raise faults_error("annotated images cannot be told apart", faults, fix)
    return Matches(dict(by_row), tuple(unmatched))


class _Finder:
    """Finds rows by the ends of their paths."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_path: dict[str, list[Sample]] = defaultdict(list)
        self._by_end: dict[str, list[Sample]] = defaultdict(list)
        self._by_path_stem: dict[str, list[Sample]] = defaultdict(list)
        self._by_end_stem: dict[str, list[Sample]] = defaultdict(list)
        for sample in samples:
            relative = _normalise(sample.relative_path)
            self._by_path[relative].append(sample)
            self._by_path_stem[_stem(relative)].append(sample)
            for end in _ends(_normalise(sample.path.as_posix())):
                self._by_end[end].append(sample)
                self._by_end_stem[_stem(end)].append(sample)

    def find(self, image: ParsedImage) -> list[Sample]:
        """Returns the rows that the name fits; of several files only where the name does not tell."""
        name = _normalise(image.name)
        tables = [(self._by_path, self._by_end)]
        if image.is_stem:
            tables.append((self._by_path_stem, self._by_end_stem))
        for by_path, by_end in tables:
            for table, texts in ((by_path, [name]), (by_end, [name]), (by_path, _ends(name))):
                for text in texts:
                    if text in table:
                        return table[text]
        return []


def _normalise(path: str) -> str:
    composed = unicodedata.normalize("NFC", path).replace("\\", "/")
    return "/".join(part for part in composed.split("/") if part not in ("", "."))


def _ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folder, its first two folders, ...; longest first."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _stem(path: str) -> str:
    return path.removesuffix(PurePosixPath(path).suffix)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(repr, names[:MAX_NAMED])) + more
