"""Which rows of the CSV an annotated image is: by path, by the end of a path, or by the bare file name."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evalharness.annotations.parsed import ParsedImage, faults_error
from evalharness.annotations.renamings import earlier_names
from evalharness.records import Sample

MAX_NAMED = 4


@dataclass(frozen=True, slots=True)
class Matches:
    """Annotated images and the rows that they are."""

    by_row: dict[str, list[ParsedImage]]
    """By `row_id`, rows with annotations only; more than one where a format has a file for each category."""
    unmatched: tuple[str, ...]
    """Names of annotated images that no row of the CSV has."""
    left_out: tuple[str, ...]
    """Names of annotated images of rows that are not evaluated."""
    renamed: dict[str, tuple[tuple[str, str], ...]]
    """By what the names differ in: the name in the annotations, and the path in the CSV."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the CSV, evaluated or not."""

    written: str
    path: Path
    sample: Sample | None = None


def match_images(
    images: Sequence[ParsedImage], samples: Sequence[Sample], left_out: Sequence[tuple[str, Path]] = ()
) -> Matches:
    """Finds the rows of each annotated image.

    In this order: the path as written in the CSV; the end of a row's path that the name makes up, by whole folders; the
    end of the name that a row's path as written makes up. Where none fits: the same of what the image was called before
    a tool renamed it, in another case of letters, or with another ending. Rows that share a file share its annotations.

    Args:
        images: As read.
        samples: The rows that are evaluated.
        left_out: Path as written, and resolved, of the others: what a name means does not depend on what is evaluated.

    Raises:
        DatasetError: A name that fits several files, or several names that fit one; all are listed.
    """
    finder = _Finder([*(_Row(s.relative_path, s.path, s) for s in samples), *(_Row(*names) for names in left_out)])
    by_row: dict[str, list[ParsedImage]] = defaultdict(list)
    names: dict[str, dict[str, None]] = defaultdict(dict)
    renamed: dict[str, dict[str, str]] = defaultdict(dict)
    unmatched: dict[str, None] = {}
    others: dict[str, None] = {}
    faults: list[str] = []
    for image in images:
        found, undone = finder.find(image)
        paths = sorted({row.written for row in found})
        if len({row.path for row in found}) > 1:
            faults.append(f"{_called(image)} ({image.where}) fits {len(paths)} files: {_list(paths)}")
        elif not found:
            unmatched[image.name] = None
        else:
            names[paths[0]][image.name] = None
            if undone:
                renamed[undone][image.name] = paths[0]
            evaluated = [row.sample for row in found if row.sample is not None]
            others |= {} if evaluated else {image.name: None}
            for sample in evaluated:
                by_row[sample.row_id].append(image)
    faults += [f"{_list(list(several))} all fit {path!r}" for path, several in names.items() if len(several) > 1]
    if faults:
        fix = "Name the images in the annotations by the path of the CSV, or by as much of its end as tells them apart."
        raise faults_error("annotated images cannot be told apart", faults, fix)
    told = {undone: tuple(pairs.items()) for undone, pairs in renamed.items()}
    return Matches(dict(by_row), tuple(unmatched), tuple(others), told)


class _Finder:
    """Finds rows by the ends of their paths."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._exact = _Ends(rows, lambda path: path)
        self._by_stem = _Ends(rows, _stem)
        folded, folded_stem = _Ends(rows, str.casefold), _Ends(rows, lambda path: _stem(path).casefold())
        self._differences: list[tuple[_Ends, Callable[[str], str], str]] = [
            (self._exact, lambda path: path, ""),
            (folded, str.casefold, "the case of letters"),
            (self._by_stem, lambda path: path, "a missing ending"),
            (self._by_stem, _stem, "another ending"),
            (folded_stem, lambda path: _stem(path).casefold(), "another ending and the case of letters"),
        ]

    def find(self, image: ParsedImage) -> tuple[list[_Row], str]:
        """The rows that the name fits, and what the name differs in; of several files only where it does not tell.

        Where the annotations name the image twice, by both names: they must mean one file.
        """
        found, undone = self._find(image.name, is_stem=image.is_stem)
        if image.also_named is None:
            return found, undone
        others, undone_too = self._find(image.also_named, is_stem=True)
        if not found:
            return others, undone_too
        paths = {row.path for row in found}
        return (found, undone) if {row.path for row in others} <= paths else ([*found, *others], undone)

    def _find(self, name: str, *, is_stem: bool) -> tuple[list[_Row], str]:
        name = _normalise(name)
        found = self._exact.find(name) or (self._by_stem.find(name) if is_stem else [])
        if found:
            return found, ""
        fitting = self._find_earlier(name)
        rows = {id(row): row for found, _ in fitting for row in found}
        return list(rows.values()), fitting[0][1] if fitting else ""

    def _find_earlier(self, name: str) -> list[tuple[list[_Row], str]]:
        """Of the nearest kind of difference that leaves any row: every way in which the name fits."""
        renamed = [(_normalise(earlier), undone) for earlier, undone in earlier_names(name)]
        # The folder may be the tool's own.
        bare = [(earlier.rpartition("/")[2], undone) for earlier, undone in renamed]
        for names in ([(name, ""), *renamed], bare):
            for table, form, differs in self._differences:
                if fitting := _fitting(table, form, names, differs):
                    return fitting
        return []


def _fitting(
    table: "_Ends", form: Callable[[str], str], names: Sequence[tuple[str, str]], differs: str
) -> list[tuple[list[_Row], str]]:
    found = ((table.find(form(name)), " and ".join(filter(None, (undone, differs)))) for name, undone in names)
    return [(rows, undone) for rows, undone in found if rows]


class _Ends:
    """Rows by their path in one form, and by every end of it."""

    def __init__(self, rows: Sequence[_Row], form: Callable[[str], str]) -> None:
        self._by_path: dict[str, list[_Row]] = defaultdict(list)
        self._by_end: dict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            self._by_path[form(_normalise(row.written))].append(row)
            for end in _ends(form(_normalise(row.path.as_posix()))):
                self._by_end[end].append(row)

    def find(self, name: str) -> list[_Row]:
        """The rows of the nearest way in which the name, in the same form, fits any."""
        for table, texts in ((self._by_path, [name]), (self._by_end, [name]), (self._by_path, _ends(name))):
            for text in texts:
                if text in table:
                    return table[text]
        return []


def _called(image: ParsedImage) -> str:
    return repr(image.name) if image.also_named is None else f"{image.name!r}, also named {image.also_named!r},"


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
