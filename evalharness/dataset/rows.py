"""From the rows of the CSV to samples: ids, labels, and paths that stay inside the dataset's root."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness import console
from evalharness.dataset.bad_rows import FOREIGN, Fault
from evalharness.dataset.columns import Layout, compose
from evalharness.dataset.nearby_files import foreign_path
from evalharness.dataset.table import Row, Table
from evalharness.errors import DatasetError
from evalharness.records import BadRow, Sample

MAX_NAMED_CLASSES = 12
MAX_NAMED_IDS = 3


@dataclass(frozen=True, slots=True)
class Listing:
    """What the CSV alone says, before any image is opened."""

    samples: tuple[Sample, ...]
    faults: tuple[Fault, ...]


class RowError(Exception):
    """Why one row cannot be used; becomes a fault."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def join_path(row: Row, layout: Layout) -> str:
    """Joins the path cells that are not empty with `/`, as written in the CSV."""
    return "/".join(row.cells[name] for name in layout.path_columns if row.cells[name])


def is_excluded(row: Row, layout: Layout) -> bool:
    """Tells whether the row's path contains one of the excluded texts."""
    path = join_path(row, layout)
    return any(text in path for text in layout.exclude)


def list_samples(rows: Sequence[Row], layout: Layout, classes: tuple[str, ...], root: Path) -> Listing:
    """Turns rows into samples, and those that cannot be turned into faults.

    Of rows that repeat an id, the first is kept if all of them have the same path and label, and none if not.

    Args:
        rows: Rows that are not excluded.
        layout: The meaning of the columns.
        classes: The labels that may occur.
        root: Absolute; paths resolve against it.

    Returns:
        Samples and faults, each in CSV order.
    """
    samples: list[Sample] = []
    faults: list[Fault] = []
    repeated = _find_repeated_ids(rows, layout)
    by_composed = {compose(name): name for name in classes}
    for row in rows:
        try:
            samples.append(_to_sample(row, layout, by_composed, root, repeated))
        except RowError as error:
            bad_row = BadRow(_row_id(row, layout), join_path(row, layout), row.line, error.reason)
            faults.append(Fault(error.kind, bad_row))
    return Listing(tuple(samples), tuple(faults))


def check_clean_ids(table: Table, layout: Layout) -> None:
    """Tells which ids in `dataset.clean_column` are in no row of the CSV.

    Args:
        table: All rows, excluded ones too.
        layout: The meaning of the columns.

    Raises:
        DatasetError: There are ids, and none of them is a row's.
    """
    if layout.clean_column is None:
        return
    lines = {row.cells[layout.clean_column]: row.line for row in reversed(table.rows)}
    lines.pop("", None)
    known = {_row_id(row, layout) for row in table.rows}
    unknown = sorted((line, row_id) for row_id, line in lines.items() if row_id not in known)
    if not unknown:
        return
    named = ", ".join(f"{row_id!r} (line {line})" for line, row_id in unknown[:MAX_NAMED_IDS])
    named += ", ..." if len(unknown) > MAX_NAMED_IDS else ""
    if len(unknown) == len(lines):
        meant = f"in the column {layout.id_column!r}" if layout.id_column else "paths, since there is no id_column"
        raise DatasetError(
            "the clean column names no row",
            expected=f"row ids ({meant})",
            got=named,
            where=f"{table.csv}, dataset.clean_column: {layout.clean_column}",
            fix="Write ids of rows, or set dataset.clean_column=null",
        )
    console.note(
        f"dataset.clean_column: {len(unknown):,} of {len(lines):,} ids in the column {layout.clean_column!r} are in no "
        f"row of {table.csv}: {named}"
    )


def match_label(text: str, layout: Layout, classes: Mapping[str, str]) -> str:
    """Finds the class that a cell of the label column means.

    Args:
        text: The cell.
        layout: Says how cells are matched.
        classes: The classes by their NFC form.

    Raises:
        RowError: The cell is empty, or means no class, or more than one.
    """
    if not text:
        raise RowError("empty label", f"the label is empty (column {layout.label_column!r})")
    composed = compose(text)
    if layout.label_match == "exact":
        found = [classes[composed]] if composed in classes else []
    else:
        found = [name for form, name in classes.items() if form in composed]
    if len(found) == 1:
        return found[0]
    if found:
        raise RowError("ambiguous label", f"the label {text!r} contains more than one class: {', '.join(found)}")
    names = list(classes.values())
    known = ", ".join(names[:MAX_NAMED_CLASSES]) + (", ..." if len(names) > MAX_NAMED_CLASSES else "")
    verb = "is none" if layout.label_match == "exact" else "contains none"
    raise RowError("unknown label", f"the label {text!r} {verb} of the classes {known}")


def resolve_path(relative_path: str, root: Path) -> Path:
    """Resolves a path of the CSV against the root, without following symbolic links.

    Raises:
        RowError: The path is empty, of another machine, leaves the root, or is absolute while the root is not the whole
            file system.
    """
    if not relative_path:
        raise RowError("empty path", "the path is empty")
    if "\0" in relative_path:
        raise RowError("unusable path", "the path contains a NUL character")
    foreign = foreign_path(relative_path, root)
    if foreign is not None:
        raise RowError(FOREIGN, foreign)
    is_whole_file_system = root == root.parent
    if Path(relative_path).is_absolute() and not is_whole_file_system:
        raise RowError("absolute path", "the path is absolute, which needs dataset.root=/")
    path = Path(os.path.normpath(root / relative_path))
    if not path.is_relative_to(root):
        raise RowError("path outside the root", f"the path leaves the dataset's root {root}")
    return path


def _to_sample(row: Row, layout: Layout, classes: Mapping[str, str], root: Path, repeated: Mapping[int, str]) -> Sample:
    if row.line in repeated:
        raise RowError("repeated row id", repeated[row.line])
    relative_path, row_id = join_path(row, layout), _row_id(row, layout)
    path = resolve_path(relative_path, root)
    if not row_id:
        raise RowError("empty row id", f"the row id is empty (column {layout.id_column!r})")
    return Sample(
        row_id=row_id,
        path=path,
        relative_path=relative_path,
        label=match_label(row.cells[layout.label_column], layout, classes),
        csv_line=row.line,
        group=(row.cells[layout.group_column] if layout.group_column else "") or row_id,
        clean_row_id=row.cells[layout.clean_column] if layout.clean_column else "",
    )


def _row_id(row: Row, layout: Layout) -> str:
    return row.cells[layout.id_column] if layout.id_column else join_path(row, layout)


def _find_repeated_ids(rows: Sequence[Row], layout: Layout) -> dict[int, str]:
    """Returns the reason for each line that must not be used because its id occurs before, or in contradiction."""
    by_id: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_id[_row_id(row, layout)].append(row)
    reasons: dict[int, str] = {}
    for row_id, group in by_id.items():
        if len(group) == 1 or not row_id:
            continue
        is_consistent = len({(join_path(row, layout), row.cells[layout.label_column]) for row in group}) == 1
        for row in group[1 if is_consistent else 0 :]:
            other = group[0] if row is not group[0] else group[1]
            also = "" if is_consistent else ", with another path or label"
            reasons[row.line] = f"the row id {row_id!r} is also that of line {other.line}{also}"
    return reasons
