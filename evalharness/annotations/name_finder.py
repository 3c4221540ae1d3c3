"""Finds rows by the name of an image: as it is, or in spite of what tools and systems make of names."""

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from evalharness.annotations.renamings import (
    EarlierName,
    as_label_studio_writes,
    as_roboflow_writes,
    earlier_names,
    split_ending,
)
from evalharness.records import Sample

IN_FRONT = "other folders in front"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the CSV, evaluated or not."""

    written: str
    path: Path
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Rows that a name fits."""

    rows: tuple[Row, ...]
    differs: str = ""
    """What the name differs in from theirs; empty where it is the end of their path."""

    @property
    def paths(self) -> set[Path]:
        """The files of the rows."""
        return {row.path for row in self.rows}


class Finder:
    """Finds rows by the ends of their paths."""

    def __init__(self, rows: Sequence[Row]) -> None:
        paths = [(row, normalise(row.written), normalise(row.path.as_posix())) for row in rows]
        by_stem, folded_stem = _Ends(paths, _stem), _Ends(paths, lambda path: _stem(path).casefold())
        self._exact = _Difference("", _Ends(paths, _same), _same)
        self._missing_ending = _Difference("a missing ending", by_stem, _same)
        # The nearest first; those of one group are equally near.
        self._differences = (
            (self._exact,),
            (_Difference("the case of letters", _Ends(paths, _fold_ending), _fold_ending),),
            (
                _Difference("the case of letters", _Ends(paths, str.casefold), str.casefold),
                self._missing_ending,
                _Difference("another ending", by_stem, _stem),
            ),
            (_Difference("another ending and the case of letters", folded_stem, lambda name: _stem(name).casefold()),),
        )
        self._of_tools = tuple(
            _Difference("other characters in place of special ones", _Ends(paths, form), form)
            for form in (as_roboflow_writes, as_label_studio_writes)
        )

    def find(self, name: str, *, is_stem: bool = False) -> Found:
        """The rows that the name fits; of several files only where it does not tell.

        Args:
            name: As the annotations call the image.
            is_stem: Whether it may lack the ending.
        """
        name = normalise(name)
        found = self._exact.find(name)
        if not found.rows and is_stem:
            found = self._missing_ending.find(name)
        if found.rows:
            return found
        renamed = [EarlierName(normalise(e.name), e.undone, e.is_flat) for e in earlier_names(name, is_stem=is_stem)]
        bare = [EarlierName(e.name.rpartition("/")[2], e.undone) for e in renamed if e.is_flat and "/" in e.name]
        ways = [
            *self._find_nearest(([EarlierName(name, "")],), self._differences, is_stem=is_stem),
            *self._find_nearest((renamed, bare), (*self._differences, self._of_tools), is_stem=is_stem),
        ]
        rows = {id(row): row for way in ways for row in way.rows}
        return Found(tuple(rows.values()), ways[0].differs if ways else "")

    def find_in_other_folder(self, name: str) -> str | None:
        """The path of a row with the same file name, or with one as tools change it, in whatever folder."""
        bare = normalise(name).rpartition("/")[2]
        found = self.find(bare, is_stem=True).rows if bare else ()
        if not found:
            last = (normalise(earlier.name).rpartition("/")[2] for earlier in earlier_names(normalise(name)))
            found = next((rows for part in last if part and (rows := self.find(part, is_stem=True).rows)), ())
        return min(row.written for row in found) if found else None

    def describe_earlier(self, name: str) -> str | None:
        """What the image may have been called before, if the name looks as a tool's does."""
        first = next(iter(earlier_names(normalise(name))), None)
        return f"{first.name} without {first.undone}" if first else None

    def _find_nearest(
        self, names: Sequence[Sequence[EarlierName]], groups: Sequence[Sequence["_Difference"]], *, is_stem: bool
    ) -> list[Found]:
        """Every way of the nearest kind in which one of the names fits; names of the first sequence are nearer."""
        for differences in groups:
            for candidates in names:
                ways = []
                for earlier, difference in product(candidates, differences):
                    found = difference.find(earlier.name)
                    # A name that may lack its ending differs in nothing without it.
                    is_difference = not (is_stem and difference is self._missing_ending)
                    told = " and ".join(filter(None, (earlier.undone, difference.text if is_difference else "")))
                    if found.rows:
                        ways.append(Found(found.rows, told or found.differs))
                if ways:
                    return ways
        return []


@dataclass(frozen=True)
class _Difference:
    """One way to compare names."""

    text: str
    rows: "_Ends"
    form: Callable[[str], str]

    def find(self, name: str) -> Found:
        """The rows of the nearest way in which the name, in this form, fits any."""
        # Most names end here, before a table of all ends is made.
        if self.form(name.rpartition("/")[2]) not in self.rows.last_parts:
            return Found(())
        return self.rows.find(self.form(name))


class _Ends:
    """Rows by their path in one form, and by every end of it; filled when first asked.

    A form changes the parts of a path one by one.
    """

    def __init__(self, paths: Sequence[tuple[Row, str, str]], form: Callable[[str], str]) -> None:
        self._paths = paths
        self._form = form

    @cached_property
    def last_parts(self) -> set[str]:
        """The names of all files, in the form."""
        return {self._form(path.rpartition("/")[2]) for _, *both in self._paths for path in both}

    @cached_property
    def _tables(self) -> tuple[dict[str, list[Row]], dict[str, list[Row]]]:
        by_path, by_end = defaultdict[str, list[Row]](list), defaultdict[str, list[Row]](list)
        for row, written, path in self._paths:
            by_path[self._form(written)].append(row)
            for end in _ends(self._form(path)):
                by_end[end].append(row)
        return by_path, by_end

    def find(self, name: str) -> Found:
        """The rows of the nearest way in which the name, in the same form, fits any."""
        by_path, by_end = self._tables
        for table in (by_path, by_end):
            if name in table:
                return Found(tuple(table[name]))
        for end in _ends(name):
            if end in by_path:
                # The fewer folders they have in common, the likelier it is another photo.
                return Found(tuple(by_path[end]), "" if "/" in end else IN_FRONT)
        return Found(())


def normalise(path: str) -> str:
    """A path with `/` between folders, without `.`, `..` and empty parts, its letters composed (NFC)."""
    parts: list[str] = []
    for part in unicodedata.normalize("NFC", path).replace("\\", "/").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _ends(path: str) -> list[str]:
    """The path, and what is left of it without its first folder, its first two folders, ...; longest first."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _same(path: str) -> str:
    return path


def _fold_ending(path: str) -> str:
    stem, ending = split_ending(path)
    return stem + ending.casefold()


def _stem(path: str) -> str:
    return split_ending(path)[0]
