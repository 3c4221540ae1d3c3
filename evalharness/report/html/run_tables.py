"""The tables of a report as plain rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evalharness.report.html.run_contents import RunContents
from evalharness.report.html.wording import is_number

MAX_LISTED_MISTAKES = 300
DARK = 0.55
"""Part of a row from which on a cell's text is white."""
TRUST_MEASURES = {
    "faithfulness": "faithfulness (higher is better)",
    "saco": "SaCo (−1 to 1, higher is better)",
    "head_similarity": "similarity under a random head (lower: sees the class)",
    "flip_stability": "stability under a flip (1: same)",
    "brightness_stability": "stability under brightness (1: same)",
}
MAX_MATRIX_CLASSES = 60
"""Above, the page lists the most frequent mistakes in place of the confusion matrix."""
RECIPE_PARTS = ("recipe", "provenance")


def confusion_rows(run: RunContents) -> list[dict[str, Any]]:
    """A row per true class, with a cell per predicted class; none where there are too many classes for a matrix."""
    if len(run.classes) > MAX_MATRIX_CLASSES:
        return []
    rows = []
    for true, name in enumerate(run.classes):
        support = int(run.confusion[true].sum())
        cells = []
        for pred, count in enumerate(run.confusion[true].tolist()):
            part = count / support if support else 0.0
            cells.append(
                {
                    "true": true,
                    "pred": pred,
                    "pred_name": run.classes[pred],
                    "count": count,
                    "part": part,
                    "is_right": true == pred,
                    "is_dark": part > DARK,
                }
            )
        rows.append({"true": true, "name": name, "support": support, "cells": cells})
    return rows


def class_rows(run: RunContents) -> list[dict[str, Any]]:
    """A row per class: support and the three rates, with the index of the class."""
    index_of = {name: index for index, name in enumerate(run.classes)}
    return [
        {**{str(key): value for key, value in row.items()}, "index": index_of[row["class"]]}
        for row in run.per_class.to_dict("records")
    ]


def listed_mistakes(run: RunContents) -> list[dict[str, Any]]:
    """Wrong answers by cell of the confusion matrix, the fullest cell first; each cell's most confident first."""
    wrong = run.samples[~run.samples["correct"].astype(bool)]
    index_of = {name: index for index, name in enumerate(run.classes)}
    pairs = list(dict.fromkeys(zip(wrong["label"], wrong["pred_label"], strict=True)))
    each = max(1, MAX_LISTED_MISTAKES // max(1, len(pairs)))
    listed: list[dict[str, Any]] = []
    for label, pred_label in sorted(pairs):
        rows = wrong[(wrong["label"] == label) & (wrong["pred_label"] == pred_label)]
        shown = rows.sort_values(["confidence", "row_id"], ascending=[False, True]).head(each)
        listed.append(
            {
                "true": index_of[label],
                "pred": index_of[pred_label],
                "label": label,
                "pred_label": pred_label,
                "num": len(rows),
                "rows": shown[["row_id", "confidence"]].to_dict("records"),
            }
        )
    return sorted(listed, key=lambda group: -int(group["num"]))[:MAX_LISTED_MISTAKES]


def audit_tables(categories: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A table per map of the audited categories, distractors first."""
    by_map: dict[str, list[Mapping[str, Any]]] = {}
    for entry in categories:
        by_map.setdefault(entry["map_id"], []).append(entry)
    return [
        {
            "map_id": map_id,
            "rows": sorted(entries, key=lambda entry: (entry["role"] != "distractor", entry["category"])),
        }
        for map_id, entries in by_map.items()
    ]


def pull_table(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The pull matrix: a row per category, a cell per class; `weight` is the cell's part of the strongest one.

    `rank`, of a cell and of a category in `ranks`, puts them in order where there is room for one column: significant
    ones first, the strongest before others.
    """
    classes = list(dict.fromkeys(cell["class_name"] for cell in cells))
    limit = max([abs(cell["pull"]["value"]) for cell in cells if is_number(cell["pull"]["value"])], default=0.0) or 1.0
    ordered = sorted(cells, key=lambda cell: (not cell["is_significant"], -(cell["pull"]["value"] or 0.0)))
    places = {(cell["category"], cell["class_name"]): place for place, cell in enumerate(ordered)}
    ranks = {name: place for place, name in enumerate(dict.fromkeys(cell["category"] for cell in ordered))}
    rows: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        is_tested = cell["is_significant"] is not None
        weight = cell["pull"]["value"] / limit if is_tested and is_number(cell["pull"]["value"]) else 0.0
        rows.setdefault(cell["category"], []).append(
            {
                **cell,
                "is_tested": is_tested,
                "weight": weight,
                "rank": places[cell["category"], cell["class_name"]],
            }
        )
    return {"classes": classes, "rows": rows, "ranks": ranks}


def other_metrics(run: RunContents) -> list[tuple[str, Any]]:
    """Every scalar that has no interval: of maps, regions, time."""
    return sorted(
        (name, value) for name, value in run.manifest["metrics"].items() if name not in run.manifest["intervals"]
    )


def recipe_rows(run: RunContents) -> list[tuple[str, str]]:
    """Recipe and provenance as dotted keys and values."""
    rows = [
        ("fingerprint", str(run.manifest["fingerprint"])),
        ("package_version", str(run.manifest["package_version"])),
    ]
    if run.manifest.get("git_commit"):
        rows.append(("git_commit", str(run.manifest["git_commit"])))
    for part in RECIPE_PARTS:
        rows += list(_flat(part, run.manifest[part]))
    return rows


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for place, inner in enumerate(value):
            yield from _flat(f"{key}[{place}]", inner)
    elif isinstance(value, list | tuple):
        yield key, ", ".join(str(inner) for inner in value)
    else:
        yield key, "" if value is None else str(value)
