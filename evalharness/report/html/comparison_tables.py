"""The tables of a comparison's report as plain rows."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from evalharness.report.html.comparison_contents import ComparisonContents
from evalharness.report.html.map_verdicts import short_verdicts
from evalharness.report.html.wording import METRICS, is_number

MAX_LISTED_FLIPS = 300
REGION_MEASURES = {
    "share": "Share of the map",
    "lift": "Lift (1: as its size)",
    "uses": "Part of images in which it is used",
    "relies": "Part of verdicts that rely on it",
    "flip": "Part of verdicts that flip when it is erased",
    "delta_prob": "Probability lost when it is erased",
}
DIGEST = re.compile(r"[0-9a-f]{64}")
SHORT_DIGEST = 12


def verdict_rows(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per run but the reference: the numbers that its verdict rests on."""
    return [
        {
            **pair,
            "accuracy": pair["metrics"]["accuracy"],
        }
        for pair in contents.pairs
    ]


def metric_tables(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A table per run but the reference: every headline metric with its difference."""
    tables = []
    for pair in contents.pairs:
        rows = []
        for name, entry in pair["metrics"].items():
            title, meaning, higher_is_better = METRICS.get(name, (name, "", None))
            direction = {True: "higher is better", False: "lower is better", None: ""}[higher_is_better]
            rows.append(
                {
                    **entry,
                    "title": title,
                    "meaning": "; ".join(filter(None, (meaning, direction))),
                }
            )
        tables.append({"name": pair["name"], "rows": rows})
    return tables


def setting_rows(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per setting that differs, with a cell per run; digests are shortened, `full` has them whole."""
    rows = []
    for entry in contents.manifest["settings"]:
        texts = ["" if value is None else str(value) for value in entry["values"]]
        cells = [{"text": text[:SHORT_DIGEST] if DIGEST.fullmatch(text) else text, "full": text} for text in texts]
        rows.append({"field": entry["field"], "cells": cells})
    return rows


def class_tables(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A table per run but the reference: its classes, those with the most flips first."""
    index_of = {name: index for index, name in enumerate(contents.manifest["classes"])}
    return [
        {
            "name": pair["name"],
            "pair": number,
            "rows": sorted(
                ({**row, "index": index_of[row["class_name"]]} for row in pair["classes"]),
                key=lambda row: -(row["num_broken"] + row["num_fixed"]),
            ),
        }
        for number, pair in enumerate(contents.pairs)
    ]


def calibration_rows(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per run: how sure it is on average, and how often right."""
    predictions = contents.tables["predictions"]
    pairs = contents.pairs
    errors = {pairs[0]["reference"]: pairs[0]["metrics"]["ece"]["reference"]}
    errors |= {pair["name"]: pair["metrics"]["ece"]["value"] for pair in pairs}
    rows = []
    for name in contents.run_names:
        confidence = float(predictions[f"confidence [{name}]"].mean())
        accuracy = float((predictions[f"pred_label [{name}]"] == predictions["label"]).mean())
        rows.append(
            {
                "name": name,
                "confidence": confidence,
                "accuracy": accuracy,
                "lead": 100 * (confidence - accuracy),
                "ece": errors[name],
            }
        )
    return rows


def calibration_bins(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per confidence bin that holds an image of some run, with a cell per run."""
    table = contents.tables["calibration"]
    num_bins = int(table["bin"].max()) + 1
    rows = []
    for number in range(num_bins):
        own = table[table["bin"] == number]
        if not own["num_images"].any():
            continue
        by_run = own.set_index("run")
        cells = [by_run.loc[name].to_dict() for name in contents.run_names]
        rows.append({"low": number / num_bins, "high": (number + 1) / num_bins, "cells": cells})
    return rows


def audit_tables(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A table per run and map: the annotated categories with every measure, distractors first."""
    tables: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in contents.manifest["regions"]:
        tables.setdefault((entry["name"], entry["map_id"]), []).append(entry)
    return [
        {
            "name": name,
            "map_id": map_id,
            "trust": "; ".join(
                f"{run.name}: {short_verdicts(run.manifest['findings']['trust'], [map_id])[map_id]}"
                for run in contents.runs
                if run.name in (contents.run_names[0], name)
            ),
            "rows": sorted(rows, key=lambda row: (row["role"] != "distractor", row["category"])),
        }
        for (name, map_id), rows in tables.items()
    ]


def pull_rows(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per category and class, with a cell per run; `weight` is a cell's part of the strongest one.

    `rank` puts rows in order where there is room for one column: those with a significant cell first, the strongest
    before others.
    """
    table = contents.tables["pull"]
    if table.empty or "pull" not in table:
        return []
    limit = float(np.nanmax(np.abs(table["pull"].to_numpy(np.float64)))) if table["pull"].notna().any() else 0.0
    rows: list[dict[str, Any]] = []
    for (category, class_name), own in table.groupby(["category", "class"], sort=False):
        by_run: dict[str, Any] = {row["run"]: row for row in own.to_dict("records")}
        cells = [_pull_cell(by_run.get(name), limit or 1.0) for name in contents.run_names]
        strongest = max((cell["pull"] for cell in cells if cell and cell["is_significant"]), default=-np.inf)
        rows.append({"category": category, "class_name": class_name, "cells": cells, "strongest": strongest})
    for rank, row in enumerate(sorted(rows, key=lambda row: -row["strongest"])):
        row["rank"] = rank
    return rows


def concept_rows(contents: ComparisonContents) -> list[dict[str, Any]]:
    """A row per run and tested concept of the reference, the harmful ones first."""
    rows: list[Any] = contents.tables["concepts"].to_dict("records")
    return [row for row in rows if is_number(row["reference_pull"])]


def listed_flips(contents: ComparisonContents, most: int = MAX_LISTED_FLIPS) -> list[dict[str, Any]]:
    """The flips of each run, the broken and the fixed, as far as there is room; those of which both were sure first."""
    flips, pairs = contents.flips, contents.pairs
    each = max(1, most // (2 * len(pairs)))
    groups = []
    for number, pair in enumerate(pairs):
        for kind in ("broken", "fixed"):
            rows = flips[(flips["run"] == pair["name"]) & (flips["kind"] == kind)]
            if not rows.empty:
                shown = rows.head(each).to_dict("records")
                groups.append({"name": pair["name"], "pair": number, "kind": kind, "num": len(rows), "rows": shown})
    return groups


def similarity_columns(contents: ComparisonContents) -> list[str]:
    """The maps of which flips have a rank correlation."""
    return [map_id for map_id in contents.manifest["map_ids"] if f"similarity.{map_id}" in contents.flips]


def _pull_cell(row: Mapping[str, Any] | None, limit: float) -> dict[str, Any] | None:
    if row is None:
        return None
    is_tested = not pd.isna(row["significant"]) and is_number(row["pull"])
    return {
        **row,
        "is_tested": is_tested,
        "is_significant": is_tested and bool(row["significant"]),
        "weight": row["pull"] / limit if is_tested else 0.0,
    }
