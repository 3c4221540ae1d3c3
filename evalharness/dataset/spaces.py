"""Spaces around the cells of a CSV, as people and some tools write them behind separators."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from evalharness.dataset.spreadsheets import name_lines
from evalharness.dataset.table import Row, Table


def pass_over_spaces(table: Table, columns: Collection[str], path_columns: Sequence[str], root: Path) -> Table:
    """Takes away the spaces around cells, but keeps a path that is a file as it is written.

    Args:
        table: The CSV.
        columns: Those that mean something; others stay as they are.
        path_columns: Joined with `/` they are the path of the image.
        root: Paths resolve against it.
    """
    cleaned = [_clean(row, columns, path_columns, root) for row in table.rows]
    changed = [
        row.line
        for row, other in zip(table.rows, cleaned, strict=True)
        for name in columns
        if row.cells[name] != other[name]
    ]
    if not changed:
        return table
    count = f"{len(changed):,} cell{'s' if len(changed) != 1 else ''}"
    remark = f"spaces around {count} passed over ({name_lines(set(changed))})"
    rows = tuple(replace(row, cells=cells) for row, cells in zip(table.rows, cleaned, strict=True))
    return replace(table, rows=rows, remarks=(*table.remarks, remark))


def _clean(row: Row, columns: Collection[str], path_columns: Sequence[str], root: Path) -> dict[str, str]:
    spaced = {name for name in columns if row.cells[name] != row.cells[name].strip()}
    if spaced & set(path_columns) and _is_file(row, path_columns, root):
        spaced -= set(path_columns)
    return {name: cell.strip() if name in spaced else cell for name, cell in row.cells.items()}


def _is_file(row: Row, path_columns: Sequence[str], root: Path) -> bool:
    return (root / "/".join(row.cells[name] for name in path_columns if row.cells[name])).is_file()
