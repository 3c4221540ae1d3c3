"""What a comparison leaves behind: a folder of tables and pictures that can be read without the runs."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from evalharness import __version__, report
from evalharness.audit import Resampling
from evalharness.comparing.compared_runs import StoredRun
from evalharness.comparison import (
    Alignment,
    Difference,
    MapSimilarity,
    PairedRun,
    RegionChange,
    flips,
)
from evalharness.config.schema import CompareConfig
from evalharness.dataset import ImageError
from evalharness.errors import ResultsError
from evalharness.metrics.predictions import Predictions
from evalharness.metrics.probabilities import calibration_bins
from evalharness.records import FloatArray, UInt8Array
from evalharness.report.comparison_figures import draw_calibrations, draw_class_changes, draw_differences
from evalharness.report.html import ComparisonContents, RunMaps, write_comparison_report
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.results.manifest import MANIFEST, read_json, write_json
from evalharness.slugs import slug

SCHEMA_VERSION = 1
REPORT = "report.html"
MAX_LINEUP_ROWS = 6
"""Of each kind on one figure; every drawn flip has a picture of its own as well."""
GAP = 8


@dataclass(frozen=True)
class Findings:
    """Everything that a comparison found; runs, predictions and pairs have the reference first or left out."""

    runs: tuple[StoredRun, ...]
    alignment: Alignment
    predictions: Mapping[str, Predictions]
    pairs: tuple[PairedRun, ...]
    similarities: tuple[MapSimilarity, ...]
    regions: tuple[RegionChange, ...]
    pull: pd.DataFrame
    verdicts: tuple[str, ...]
    """A sentence per run but the reference."""
    remarks: tuple[str, ...]
    """Further sentences: of the audit, of the maps, and what could not be compared."""
    resampling: Resampling
    config: CompareConfig

    @property
    def reference(self) -> StoredRun:
        """What the others are compared with."""
        return self.runs[0]


def write_comparison(folder: Path, findings: Findings) -> None:
    """Writes tables, figures, pictures of the flips, the report and the manifest, all of it or nothing.

    Args:
        folder: A comparison that is there already is replaced.
        findings: Of the comparison.

    Raises:
        ResultsError: The folder holds something else.
    """
    check_comparison_folder(folder)
    folder = folder.absolute()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in ("figures", "flips"):
        (partial / name).mkdir(parents=True)
    _write_files(partial, findings)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def check_comparison_folder(folder: Path) -> None:
    """Refuses to write over anything but an earlier comparison.

    Raises:
        ResultsError: The folder holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    manifest = folder / MANIFEST
    if manifest.is_file() and read_json(manifest).get("task") == "comparison":
        return
    raise ResultsError(
        "output_dir is not a comparison",
        expected="an empty or new folder, or an earlier comparison",
        got="other files" if folder.is_dir() else "a file",
        where=folder,
        fix="Choose another output_dir",
    )


def _write_files(folder: Path, findings: Findings) -> None:
    tables = build_tables(findings)
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    _draw_figures(folder, findings)
    drawn = _draw_flips(folder, findings, tables["flips"])
    manifest = _manifest(findings, tables, drawn)
    write_comparison_report(report_contents(folder, findings, tables, manifest), folder / REPORT)
    write_json(folder / MANIFEST, manifest)


def build_tables(findings: Findings) -> dict[str, pd.DataFrame]:
    """Every table by name; the columns speak for themselves."""
    return {
        "headline": pd.DataFrame(
            [
                {"run": pair.name, "metric": name, **_columns(entry)}
                for pair in findings.pairs
                for name, entry in pair.metrics.items()
            ]
        ),
        "per_class": pd.DataFrame(
            [
                {
                    "run": pair.name, "class": row.class_name, "support": row.support, "measure": measure,
                    **_columns(getattr(row, measure)), "num_broken": row.num_broken, "num_fixed": row.num_fixed,
                }
                for pair in findings.pairs for row in pair.classes for measure in ("recall", "precision", "f1")
            ]
        ),
        "calibration": pd.DataFrame(
            [
                {"run": name, "bin": number, "confidence": confidence, "accuracy": accuracy, "num_images": count}
                for name, predictions in findings.predictions.items()
                for number, (confidence, accuracy, count) in enumerate(calibration_bins(predictions))
            ]
        ),
        "predictions": _predictions(findings),
        "flips": _flips(findings),
        "map_similarity": _similarities(findings),
        "regions": pd.DataFrame(
            [
                {
                    "run": row.name, "map_id": row.map_id, "category": row.category, "role": row.role,
                    "num_images": row.num_images, "measure": name, **_columns(entry),
                }
                for row in findings.regions for name, entry in row.measures.items()
            ],
            columns=["run", "map_id", "category", "role", "num_images", "measure", "reference", "value", "difference",
                     "ci_low", "ci_high"],
        ),
        "pull": findings.pull,
        "settings": pd.DataFrame(
            [[entry.field, *map(str, entry.values)] for entry in findings.alignment.differences],
            columns=["setting", *(run.name for run in findings.runs)],
        ),
    }  # fmt: skip


def flip_picture(runs: Sequence[StoredRun], row_id: str, map_id: str | None) -> UInt8Array:
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
            report.overlay(photo, run.result.map(row_id, map_id), density_max=density_max, extent=run.extent(size))
            for run in runs
        ]
    picture = parts[0]
    for part in parts[1:]:
        picture = report.side_by_side(picture, part, gap=GAP)
    return picture


def _columns(entry: Difference) -> dict[str, float]:
    return {
        "reference": entry.reference,
        "value": entry.value,
        "difference": entry.difference.value,
        "ci_low": entry.difference.ci_low,
        "ci_high": entry.difference.ci_high,
    }


def _predictions(findings: Findings) -> pd.DataFrame:
    """A row an image: its label, and each run's verdict and confidence."""
    classes = np.array(findings.reference.compared.classes)
    first = findings.predictions[findings.reference.name]
    columns: dict[str, object] = {"row_id": findings.alignment.row_ids, "label": classes[first.labels]}
    for name, predictions in findings.predictions.items():
        columns |= {
            f"pred_label [{name}]": classes[predictions.pred_labels],
            f"confidence [{name}]": predictions.confidences,
        }
    return pd.DataFrame(columns)


def _flips(findings: Findings) -> pd.DataFrame:
    """A row per run and image of which exactly one of the two runs is right, the most confident change first."""
    classes, row_ids = findings.reference.compared.classes, findings.alignment.row_ids
    before = findings.predictions[findings.reference.name]
    similarity = {(entry.name, entry.map_id): entry.similarity for entry in findings.similarities}
    rows = []
    for pair in findings.pairs:
        after = findings.predictions[pair.name]
        for kind, positions in zip(("broken", "fixed"), flips(before, after), strict=True):
            # Where both were sure, the runs truly see it otherwise; near ties flip for nothing.
            sureness = np.minimum(before.confidences[positions], after.confidences[positions])
            for position in positions[np.argsort(-sureness, kind="stable")]:
                rows.append(  # noqa: PERF401
                    {
                        "run": pair.name,
                        "kind": kind,
                        "row_id": row_ids[position],
                        "label": classes[before.labels[position]],
                        "reference_pred_label": classes[before.pred_labels[position]],
                        "reference_confidence": before.confidences[position],
                        "pred_label": classes[after.pred_labels[position]],
                        "confidence": after.confidences[position],
                        "reference_true_prob": before.probs[position, before.labels[position]],
                        "true_prob": after.probs[position, after.labels[position]],
                        **{
                            f"similarity.{map_id}": similarity[pair.name, map_id][position]
                            for map_id in findings.alignment.map_ids
                            if (pair.name, map_id) in similarity
                        },
                    }
                )
    columns = ["run", "kind", "row_id", "label", "reference_pred_label", "reference_confidence", "pred_label"]
    columns += ["confidence", "reference_true_prob", "true_prob"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def _similarities(findings: Findings) -> pd.DataFrame:
    tables = [
        pd.DataFrame(
            {
                "run": entry.name, "map_id": entry.map_id, "row_id": findings.alignment.row_ids,
                "spearman": entry.similarity,
            }
        )
        for entry in findings.similarities
    ]  # fmt: skip
    return (
        pd.concat(tables, ignore_index=True)
        if tables
        else pd.DataFrame(columns=["run", "map_id", "row_id", "spearman"])
    )


def _draw_figures(folder: Path, findings: Findings) -> None:
    report.save_figure(draw_differences(findings.pairs), folder / "figures" / "differences.png")
    bins = {name: calibration_bins(predictions) for name, predictions in findings.predictions.items()}
    report.save_figure(draw_calibrations(bins), folder / "figures" / "calibration.png")
    for pair in findings.pairs:
        path = folder / "figures" / f"per_class.{slug(pair.name)}.png"
        report.save_figure(draw_class_changes(pair), path)


def _draw_flips(folder: Path, findings: Findings, table: pd.DataFrame) -> list[dict[str, str]]:
    """Draws flips of every run, each alone and the first together; returns what was drawn."""
    runs = {run.name: run for run in findings.runs}
    map_id = next(iter(findings.alignment.map_ids), None)
    drawn = []
    for pair in findings.pairs:
        both = (findings.reference, runs[pair.name])
        lineup: list[LineupRow] = []
        for kind in ("broken", "fixed"):
            rows = table[(table["run"] == pair.name) & (table["kind"] == kind)].head(findings.config.num_flips)
            for number, row_id in enumerate(rows["row_id"]):
                path = folder / "flips" / f"{slug(pair.name)}.{kind}.{slug(row_id)}.png"
                Image.fromarray(flip_picture(both, row_id, map_id)).save(path, compress_level=1)
                drawn.append({"run": pair.name, "kind": kind, "row_id": row_id, "picture": f"flips/{path.name}"})
                if map_id is not None and number < MAX_LINEUP_ROWS:
                    lineup.append(_lineup_row(both, row_id, map_id, kind, rows.iloc[number]))
        if lineup:
            title = f"Broken and fixed: {map_id} of each run's own verdict"
            names = [findings.reference.name, pair.name]
            density_max = findings.reference.config.report.density_max
            figure = draw_lineup(lineup, names, title=title, density_max=density_max)
            report.save_figure(figure, folder / "figures" / f"flips.{slug(pair.name)}.png")
    return drawn


def _lineup_row(
    runs: tuple[StoredRun, StoredRun], row_id: str, map_id: str, kind: str, flip: "pd.Series[Any]"
) -> LineupRow:
    photo = runs[0].photo(row_id)
    cells = []
    for run in runs:
        sample = run.result.samples.iloc[run.result.position(row_id)]
        pair = report.AttentionPair(
            row_id, photo, run.result.map(row_id, map_id), sample["label"], sample["pred_label"],
            float(sample["confidence"]), map_id, run.extent((photo.shape[0], photo.shape[1])),
        )  # fmt: skip
        cells.append(LineupCell(pair, ""))
    similarity = flip.get(f"similarity.{map_id}", np.nan)
    remark = f"{kind}; maps differ" if np.isnan(similarity) else f"{kind}; rank correlation of maps {similarity:.2f}"
    cells[1] = LineupCell(cells[1].pair, remark)
    return LineupRow(row_id, photo, tuple(cells))


def report_contents(
    folder: Path, findings: Findings, tables: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]
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
        return width / max(1, height)

    return ComparisonContents(
        manifest=manifest,
        tables=tables,
        figures=tuple(sorted((folder / "figures").glob("*.png"))),
        runs=tuple(_maps_of(run) for run in findings.runs),
        load_photo=load_photo,
        aspect=aspect,
    )


def _maps_of(run: StoredRun) -> RunMaps:
    def load(map_id: str, row_ids: Sequence[str]) -> FloatArray:
        positions = np.array([run.result.position(row_id) for row_id in row_ids], np.int64)
        densities: FloatArray = run.result.maps(map_id)[positions]
        return densities

    return RunMaps(run.name, load, lambda row_id: run.extent(run.photo_size(row_id)))


def _manifest(
    findings: Findings, tables: Mapping[str, pd.DataFrame], drawn: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    alignment = findings.alignment
    return {
        "schema_version": SCHEMA_VERSION,
        "task": "comparison",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "package_version": __version__,
        "sentence": " ".join(findings.verdicts),
        "verdicts": list(findings.verdicts),
        "remarks": list(findings.remarks),
        "reference": findings.reference.name,
        "runs": [
            {
                "name": run.name,
                "folder": str(run.result.folder.absolute()),
                "run_id": run.run_id,
                "fingerprint": run.result.manifest["fingerprint"],
                "weights": run.result.manifest["provenance"]["weights"]["uri"],
                "num_evaluated": run.result.manifest["num_evaluated"],
                "num_skipped": run.result.manifest["num_skipped"],
            }
            for run in findings.runs
        ],
        "num_compared": len(alignment.row_ids),
        "num_dropped": alignment.num_dropped,
        "classes": list(findings.reference.compared.classes),
        "map_ids": list(alignment.map_ids),
        "density_max": findings.reference.config.report.density_max,
        "unlike_maps": alignment.unlike_maps,
        "settings": [asdict(entry) for entry in alignment.differences],
        "resampling": asdict(findings.resampling),
        "compare": findings.config.model_dump(mode="json"),
        "pairs": [asdict(pair) for pair in findings.pairs],
        "maps": [
            {key: value for key, value in asdict(entry).items() if key != "similarity"}
            for entry in findings.similarities
        ],
        "regions": [asdict(entry) for entry in findings.regions],
        "flips": list(drawn),
        "tables": sorted(f"{name}.csv" for name in tables),
    }
