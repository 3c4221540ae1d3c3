"""Rows that cannot be evaluated: collected with their kind, and told all at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import DatasetError
from evalharness.records import BadRow

MAX_LISTED_ROWS = 20
FOREIGN = "path of another machine"
CURES = {
    FOREIGN: "Write paths as they are below dataset.root (default: the CSV's folder), with /; or name the columns that "
    "hold such paths with dataset.path_columns",
}
"""By kind, where what to do is not plain from the reason."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A bad row and the kind of its fault."""

    kind: str
    """A few words, such as `missing file`, by which the rows are counted."""
    row: BadRow


def bad_rows_error(faults: Sequence[Fault], num_rows: int, csv: Path, *, is_fatal: bool) -> DatasetError:
    """Tells every bad row in one message: counts by kind, then up to 20 rows.

    Args:
        faults: At least one.
        num_rows: Rows that were wanted.
        csv: The file that they are in.
        is_fatal: No good row is left, so that skipping the bad ones is no way out.
    """
    by_kind: dict[str, list[BadRow]] = defaultdict(list)
    for fault in faults:
        by_kind[fault.kind].append(fault.row)
    kinds = sorted(by_kind, key=lambda kind: -len(by_kind[kind]))
    counts = ", ".join(f"{kind} ({len(by_kind[kind]):,})" for kind in kinds)
    lines = [f"{len(faults):,} of {num_rows:,} rows of {csv} cannot be evaluated: {counts}"]
    shares = _share_lines([len(by_kind[kind]) for kind in kinds])
    for kind, share in zip(kinds, shares, strict=True):
        rows = by_kind[kind]
        lines += [f"  line {row.csv_line}: {row.relative_path!r}: {row.reason}" for row in rows[:share]]
        if len(rows) > share:
            lines.append(f"  ... and {len(rows) - share:,} more: {kind}")
    lines += [f"{CURES[kind]}." for kind in kinds if kind in CURES]
    way_out = "no row is left to evaluate" if is_fatal else "or set dataset.on_error=skip to evaluate the others"
    lines.append(f"Correct these rows{':' if is_fatal else ','} {way_out}.")
    return DatasetError("\n".join(lines))


def _share_lines(counts: list[int]) -> list[int]:
    """Deals the lines of the list out to the kinds in turn, so that each kind shows some of its rows."""
    shares = [0] * len(counts)
    left = min(MAX_LISTED_ROWS, sum(counts))
    while left:
        for index, count in enumerate(counts):
            if left and shares[index] < count:
                shares[index] += 1
                left -= 1
    return shares
