"""Which rows of the CSV an annotated image is: by path, by the end of a path, or by the bare file name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.annotations.name_finder import Finder, Found, Row, normalise
from evalharness.annotations.parsed import ParsedImage, faults_error, list_some
from evalharness.annotations.renamings import ROBOFLOW
from evalharness.records import Sample

MAX_NAMED = 4


@dataclass(frozen=True, slots=True)
class Matches:
    """Annotated images and the rows that they are."""

    by_row: Mapping[str, list[ParsedImage]]
    """By `row_id`, rows with annotations only; more than one where a format has a file for each category."""
    unmatched: tuple[str, ...]
    """Names of annotated images that no row of the CSV has."""
    hints: tuple[str, ...]
    """What unmatched names look like, as sentences."""
    left_out: tuple[str, ...]
    """Names of annotated images of rows that are not evaluated."""
    renamed: Mapping[str, tuple[tuple[str, str], ...]]
    """By what the names differ in: the name in the annotations, and the path in the CSV."""


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
    finder = Finder([*(Row(s.relative_path, s.path, s) for s in samples), *(Row(*names) for names in left_out)])
    matching = _Matching()
    unmatched: dict[str, None] = {}
    for image in images:
        found = _find(image, finder)
        if len(found.paths) > 1:
            matching.faults.append(_describe_ambiguous(image, finder, found))
        elif found.rows:
            matching.add(image, found)
        else:
            unmatched[image.name] = None
    matching.check_one_name_for_each()
    told = {differs: tuple(pairs.items()) for differs, pairs in matching.renamed.items()}
    hints = tuple(_hints(unmatched, finder))
    return Matches(dict(matching.by_row), tuple(unmatched), hints, tuple(matching.left_out), told)


@dataclass
class _Matching:
    """What is found, image by image."""

    by_row: dict[str, list[ParsedImage]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By path in the CSV: the names that fit it, as written, by the same without `./` and the like."""
    renamed: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    left_out: dict[str, None] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    is_augmented: bool = False

    def add(self, image: ParsedImage, found: Found) -> None:
        """Notes an image whose rows are one file."""
        path = min(row.written for row in found.rows)
        self.names[path].setdefault(normalise(image.name), image.name)
        if found.differs:
            self.renamed[found.differs][image.name] = path
        evaluated = [row.sample for row in found.rows if row.sample is not None]
        if not evaluated:
            self.left_out[image.name] = None
        for sample in evaluated:
            self.by_row[sample.row_id].append(image)

    def check_one_name_for_each(self) -> None:
        """Tells files that several names fit, and all other faults.

        Raises:
            DatasetError: There are any.
        """
        roboflow = {name for differs, pairs in self.renamed.items() if ROBOFLOW in differs for name in pairs}
        fix = "Name the images in the annotations by the path of the CSV, or by as much of its end as tells them apart."
        for path, names in self.names.items():
            if len(names) > 1:
                self.faults.append(f"{_quote(list(names.values()))} all fit {path!r}")
                self.is_augmented |= roboflow.issuperset(names.values())
        if self.is_augmented:
            fix += " Roboflow writes several changed copies of a photo where it augments: export without that."
        if self.faults:
            raise faults_error("annotated images cannot be told apart", self.faults, fix)


def _find(image: ParsedImage, finder: Finder) -> Found:
    """The rows that the image's names fit; of several files only where they do not tell.

    Where the annotations name the image twice, both must mean one file; a name that fits several is told by the other.
    """
    found = finder.find(image.name, is_stem=image.is_stem)
    if image.also_named is None:
        return found
    own = finder.find(image.also_named, is_stem=True)
    if not own.rows:
        return found
    if not found.rows:
        return Found(own.rows, "a name that no row has, by the name of their annotation file")
    both = found.paths & own.paths
    if not both:
        return Found((*found.rows, *own.rows), "")
    if len(found.paths) > 1:
        return Found(tuple(row for row in found.rows if row.path in both), "a name that fits several rows, by the name "
                     "of their annotation file")  # fmt: skip
    return found


def _describe_ambiguous(image: ParsedImage, finder: Finder, found: Found) -> str:
    if image.also_named is not None:
        sides = [finder.find(image.name, is_stem=image.is_stem), finder.find(image.also_named, is_stem=True)]
        if all(side.rows for side in sides) and not sides[0].paths & sides[1].paths:
            named, own = (_quote(sorted({row.written for row in side.rows})) for side in sides)
            return (
                f"{image.name!r}, the name in {image.where}, fits {named}, and the file's own name fits {own}: correct "
                "the one that is wrong"
            )
    paths = sorted({row.written for row in found.rows})
    return f"{image.name!r} ({image.where}) fits {len(paths)} files: {_quote(paths)}"


def _hints(unmatched: Iterable[str], finder: Finder) -> list[str]:
    """What the names that fit no row look like."""
    elsewhere, renamed = [], []
    for name in unmatched:
        if path := finder.find_in_other_folder(name):
            elsewhere.append(f"{name} ({path})")
        elif earlier := finder.describe_earlier(name):
            renamed.append(f"{name} ({earlier})")
    hints = []
    if elsewhere:
        hints.append(
            f"{len(elsewhere):,} annotated images in no row have the file name of a row in another folder: "
            f"{list_some(elsewhere)}. If these are the same photos, name them by the path of the CSV."
        )
    if renamed:
        hints.append(
            f"{len(renamed):,} annotated images in no row look renamed by a tool, and no row has the name of before "
            f"either: {list_some(renamed)}."
        )
    return hints


def _quote(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(map(repr, names[:MAX_NAMED])) + more
