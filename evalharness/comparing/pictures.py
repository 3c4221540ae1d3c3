"""The pictures of a comparison: its figures, and every flip with both runs' maps."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from evalharness import report
from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.findings import ComparisonFindings
from evalharness.metrics.probabilities import calibration_bins
from evalharness.records import UInt8Array
from evalharness.report.comparison_figures import draw_calibrations, draw_class_changes, draw_differences
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.report.overlay import overlay
from evalharness.slugs import file_slugs

MAX_LINEUP_ROWS = 6
"""Of each kind on one figure; every drawn flip has a picture of its own as well."""
GAP = 8


def draw_figures(folder: Path, findings: ComparisonFindings) -> None:
    """Writes the differences, the calibration, and the changes of each class, into `figures/`."""
    report.save_figure(draw_differences(findings.pairs), folder / "figures" / "differences.png")
    bins = {name: calibration_bins(predictions) for name, predictions in findings.predictions.items()}
    report.save_figure(draw_calibrations(bins), folder / "figures" / "calibration.png")
    slugs = file_slugs(pair.name for pair in findings.pairs)
    for pair in findings.pairs:
        path = folder / "figures" / f"per_class.{slugs[pair.name]}.png"
        report.save_figure(draw_class_changes(pair), path)


def draw_flips(folder: Path, findings: ComparisonFindings, table: pd.DataFrame) -> list[dict[str, str]]:
    """Draws flips of every run, each alone and the first together; returns what was drawn."""
    runs = {run.name: run for run in findings.runs}
    map_id = next(iter(findings.alignment.map_ids), None)
    drawn, slugs = [], file_slugs(pair.name for pair in findings.pairs)
    for pair in findings.pairs:
        both = (findings.reference, runs[pair.name])
        lineup: list[LineupRow] = []
        shown_by_kind = {"broken": 0, "fixed": 0}
        for kind in ("broken", "fixed"):
            rows = table[(table["run"] == pair.name) & (table["kind"] == kind)].head(findings.config.num_flips)
            row_slugs = file_slugs(rows["row_id"])
            for number, row_id in enumerate(rows["row_id"]):
                path = folder / "flips" / f"{slugs[pair.name]}.{kind}.{row_slugs[row_id]}.png"
                Image.fromarray(flip_picture(both, row_id, map_id)).save(path, compress_level=1)
                drawn.append({"run": pair.name, "kind": kind, "row_id": row_id, "picture": f"flips/{path.name}"})
                if map_id is not None and number < MAX_LINEUP_ROWS:
                    similarity = rows.iloc[number].get(f"similarity.{map_id}", np.nan)
                    lineup.append(_lineup_row(both, row_id, map_id, _remark(kind, similarity)))
                    shown_by_kind[kind] += 1
        if lineup:
            broken, fixed = shown_by_kind["broken"], shown_by_kind["fixed"]
            title = (
                f"{broken} of {pair.num_broken:,} broken and {fixed} of {pair.num_fixed:,} fixed verdicts of "
                f"{pair.num_images:,} images — {map_id} of each run's own"
            )
            names = [findings.reference.name, pair.name]
            density_max = findings.reference.config.report.density_max
            figure = draw_lineup(lineup, names, title=title, density_max=density_max)
            report.save_figure(figure, folder / "figures" / f"flips.{slugs[pair.name]}.png")
    return drawn


def flip_picture(runs: Sequence[RunToCompare], row_id: str, map_id: str | None) -> UInt8Array:
    """The photo, then each run's map over it, on one scale: that of the first run.

    Args:
        runs: The runs, the reference first.
        row_id: The image.
        map_id: The map; without one the photo alone.
    """
    photo = runs[0].photo(row_id)
    parts = [photo]
    if map_id is not None:
        density_max = runs[0].config.report.density_max
        size = (photo.shape[0], photo.shape[1])
        parts += [
            overlay(photo, run.result.map(row_id, map_id), density_max=density_max, extent=run.extent(size))
            for run in runs
        ]
    picture = parts[0]
    for part in parts[1:]:
        picture = report.side_by_side(picture, part, gap=GAP)
    return picture


def lineup_picture(runs: Sequence[RunToCompare], row_id: str, map_id: str) -> Image.Image:
    """The photo, then each run's verdict and map, with a legend.

    Args:
        runs: The reference first; its scale is that of all.
        row_id: The image.
        map_id: The map.
    """
    figure = draw_lineup(
        [_lineup_row(runs, row_id, map_id)],
        [run.name for run in runs],
        title=f"{map_id} of each run's own verdict",
        density_max=runs[0].config.report.density_max,
    )
    return report.as_image(figure)


def _lineup_row(runs: Sequence[RunToCompare], row_id: str, map_id: str, *remarks: str) -> LineupRow:
    """A photo under several runs; the remarks are those of the last ones."""
    photo = runs[0].photo(row_id)
    cells = []
    for run, remark in zip(runs, ("",) * (len(runs) - len(remarks)) + remarks, strict=True):
        sample = run.result.samples.iloc[run.result.position(row_id)]
        pair = report.AttentionPair(
            row_id, photo, run.result.map(row_id, map_id), sample["label"], sample["pred_label"],
            float(sample["confidence"]), map_id, run.extent((photo.shape[0], photo.shape[1])),
        )  # fmt: skip
        cells.append(LineupCell(pair, remark))
    return LineupRow(row_id, photo, tuple(cells))


def _remark(kind: str, similarity: float) -> str:
    return f"{kind}; maps differ" if np.isnan(similarity) else f"{kind}; rank correlation of maps {similarity:.2f}"
