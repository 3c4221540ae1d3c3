"""Discovered concepts of two runs beside each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalharness.audit.pull import MIN_IMAGES
from evalharness.comparing.compared_runs import RunToCompare
from evalharness.concepts import Clusters, match_by_centroids, match_by_photos
from evalharness.manifest import found_concepts

COLUMNS = [
    "run", "reference_concept", "concept", "matched_by", "overlap", "class", "reference_pull", "pull", "p_value",
    "is_harmful_reference", "is_harmful",
]  # fmt: skip


def compare_concepts(runs: Sequence[RunToCompare]) -> tuple[pd.DataFrame, list[str]]:
    """Lines the concepts of every run up with those of the reference.

    Where both share a backbone, the regions of a run are assigned to the centroids of the reference; else the concept
    in the most of the same photos counts.

    Args:
        runs: The reference first.

    Returns:
        A row per run and concept of the reference, and sentences on harmful ones.
    """
    reference, tables, sentences = runs[0], [], list[str]()
    for run in runs[1:]:
        if not found_concepts(reference.result.manifest) and not found_concepts(run.result.manifest):
            continue
        without = next((each for each in (reference, run) if not found_concepts(each.result.manifest)), None)
        if without is not None:
            sentences.append(f"Concepts were not compared: {without.name} has none (concepts.num_images).")
            continue
        table = _line_up(reference, run)
        tables.append(table)
        sentences += _describe(reference, run, table)
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)), sentences


def _line_up(reference: RunToCompare, run: RunToCompare) -> pd.DataFrame:
    before, after = (pd.read_parquet(each.result.folder / "concepts.parquet") for each in (reference, run))
    shares_features = _space(reference) == _space(run)
    if shares_features:
        matches = match_by_centroids(after, _features(run), _clusters(reference))
    else:
        matches = match_by_photos(after, before)
    matched_by = "centroids" if shares_features else "photos"
    names = [{entry["number"]: entry for entry in found_concepts(each.result.manifest)} for each in (reference, run)]
    rows = []
    for match in matches:
        first = names[0][match.reference]
        second = names[1].get(match.number) if match.number is not None else None
        cell = first["shortcut"] or first["strongest"]
        class_name = cell["class_name"] if cell else None
        own = _cell(run, second["name"], class_name) if second else None
        rows.append(
            (
                run.name, first["name"], second["name"] if second else None, matched_by,
                match.overlap, class_name, cell["pull"]["value"] if cell else np.nan,
                own["pull"]["value"] if own else np.nan, own["p_value"] if own else np.nan,
                first["is_harmful"], bool(second and second["is_harmful"]),
            )
        )  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values(["is_harmful_reference", "is_harmful", "reference_pull"], ascending=False)


def _describe(reference: RunToCompare, run: RunToCompare, table: pd.DataFrame) -> list[str]:
    sentences = []
    for row in table[table["is_harmful_reference"] | table["is_harmful"]].to_dict("records"):
        if pd.isna(row["reference_pull"]):
            sentences.append(
                f"{row['concept']} of {run.name} is harmful; what is most like it in {reference.name} is "
                f"{row['reference_concept']} ({row['overlap']:.0%} by {row['matched_by']}), in too few photos to be "
                "tested."
            )
            continue
        found = (
            f"what is most like it in {run.name} is {row['concept']} ({row['overlap']:.0%} by {row['matched_by']}), "
            f"which adds {row['pull']:+.3f}"
            if row["concept"] is not None and not pd.isna(row["pull"])
            else f"nothing that was tested in {run.name} is like it"
        )
        sentences.append(
            f"{row['reference_concept']} of {reference.name} adds {row['reference_pull']:+.3f} to the probability of "
            f"{row['class']}; {found}."
        )
    matched = set(table["concept"])
    for concept in found_concepts(run.result.manifest):
        if concept["is_harmful"] and concept["name"] not in matched:
            cell = concept["shortcut"]
            sentences.append(
                f"{concept['name']} of {run.name} adds {cell['pull']['value']:+.3f} to the probability of "
                f"{cell['class_name']}; no concept of {reference.name} is like it."
            )
    return sentences


def _cell(run: RunToCompare, name: str, class_name: str | None) -> Mapping[str, Any] | None:
    """The cell of a concept and class; None in too few photos."""
    cells = run.result.manifest["findings"]["concepts"]["pull"]
    return next(
        (
            cell
            for cell in cells
            if (cell["category"], cell["class_name"]) == (name, class_name) and cell["num_images"] >= MIN_IMAGES
        ),
        None,
    )


def _space(run: RunToCompare) -> tuple[object, ...]:
    """Of the features: regions of two runs lie in one space if these are equal."""
    block = run.result.manifest["findings"]["concepts"]["block"]
    return run.compared.backbone_sha256, block, run.config.concepts.views


def _clusters(run: RunToCompare) -> Clusters:
    with np.load(run.result.folder / "concepts.npz") as stored:
        return Clusters.of(stored)


def _features(run: RunToCompare) -> np.ndarray[Any, np.dtype[np.float64]]:
    table = pd.read_parquet(run.result.folder / "concept_regions.parquet", columns=["features"])
    return np.stack([np.asarray(values, np.float64) for values in table["features"]])
