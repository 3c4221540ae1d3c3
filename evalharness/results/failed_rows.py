"""What becomes of rows that failed during the run: an error that lists them, or rows that are left out and counted."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from evalharness.errors import DatasetError
from evalharness.records import BadRow, Dataset, IntArray
from evalharness.results.writer import ResultsWriter

NON_FINITE = "the model's output is not finite"
MAX_LISTED = 20


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Which rows count."""

    evaluated: IntArray
    """Positions in the dataset of the rows that were evaluated, ascending; the arrays hold exactly these."""
    skipped: tuple[BadRow, ...]
    """All rows left out: those that the scan found, then those that failed during the run."""


def drop_failed_rows(writer: ResultsWriter, dataset: Dataset, on_error: str) -> KeptRows:
    """Decides which rows count once every row was tried.

    Args:
        writer: The finished rows and the failures among them.
        dataset: The rows, and those skipped by the scan.
        on_error: `fail` or `skip`.

    Raises:
        DatasetError: Rows failed under `fail`, or all of them did; finished rows are kept.
    """
    reasons = writer.failures()
    for position in np.flatnonzero(~np.isfinite(writer.array("logits.npy")).all(axis=1)):
        reasons.setdefault(int(position), NON_FINITE)
    failed = tuple(
        BadRow(sample.row_id, sample.relative_path, sample.csv_line, reasons[position])
        for position, sample in enumerate(dataset.samples)
        if position in reasons
    )
    if failed and (on_error == "fail" or len(failed) == len(dataset.samples)):
        raise DatasetError(_listing(failed, len(dataset.samples)), fix=_advice(failed, on_error))
    evaluated = np.array([p for p in range(len(dataset.samples)) if p not in reasons], np.int64)
    writer.keep_rows(evaluated)
    return KeptRows(evaluated, (*dataset.skipped, *failed))


def _listing(failed: tuple[BadRow, ...], num_rows: int) -> str:
    lines = [f"\n  line {row.csv_line}: {row.relative_path}: {row.reason}" for row in failed[:MAX_LISTED]]
    more = f"\n  and {len(failed) - MAX_LISTED} more" if len(failed) > MAX_LISTED else ""
    return f"{len(failed)} of {num_rows} images could not be evaluated:{''.join(lines)}{more}\n"


def _advice(failed: tuple[BadRow, ...], on_error: str) -> str:
    most_common = Counter(row.reason for row in failed).most_common(1)[0][0]
    if most_common == NON_FINITE:
        return "Check the weights and model.preprocessing: a model that gives NaN or infinity cannot be scored"
    if on_error == "skip":
        return "No image is left to evaluate"
    return "Mend the files and repeat the command (finished images are kept), or set dataset.on_error=skip"
