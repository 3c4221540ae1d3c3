"""What the report of a comparison reads, gathered from its runs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.findings import ComparisonFindings
from evalharness.dataset import ImageError
from evalharness.records import FloatArray, UInt8Array
from evalharness.report.html import ComparisonContents, RunMaps
from evalharness.report.overlay import drawn_aspect


def report_contents(
    folder: Path, findings: ComparisonFindings, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]
) -> ComparisonContents:
    """What the report reads; photos are those of the first run that still has them.

    Args:
        folder: Of the comparison, with its figures.
        findings: Of the comparison.
        tables: Of `build_tables`.
        manifest: What the folder's manifest holds, or is going to.
    """

    def load_photo(row_id: str) -> UInt8Array:
        for run in findings.runs[:-1]:
            with suppress(OSError, ImageError):
                return run.evaluated_photo(row_id)
        return findings.runs[-1].evaluated_photo(row_id)

    def aspect(row_id: str) -> float:
        height, width = findings.reference.photo_size(row_id)
        return drawn_aspect(width / max(1, height))

    return ComparisonContents(
        manifest=manifest,
        tables=tables,
        figures=tuple(sorted((folder / "figures").glob("*.png"))),
        runs=tuple(_maps_of(run) for run in findings.runs),
        load_photo=load_photo,
        aspect=aspect,
    )


def _maps_of(run: RunToCompare) -> RunMaps:
    def load(map_id: str, row_ids: Sequence[str]) -> FloatArray:
        positions = np.array([run.result.position(row_id) for row_id in row_ids], np.int64)
        densities: FloatArray = run.result.maps(map_id)[positions]
        return densities

    return RunMaps(
        name=run.name,
        load=load,
        extent=lambda row_id: run.extent(run.photo_size(row_id)),
        manifest=run.result.manifest,
        audit=run.audit_table("audit"),
    )
