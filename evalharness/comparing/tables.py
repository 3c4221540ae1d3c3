"""The tables of a comparison: a CSV each in its folder."""

import numpy as np
import pandas as pd

from evalharness.comparing.findings import ComparisonFindings
from evalharness.comparison import Difference, flips
from evalharness.metrics.probabilities import calibration_bins


def build_tables(findings: ComparisonFindings) -> dict[str, pd.DataFrame]:
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
                for row in findings.audits for name, entry in row.measures.items()
            ],
            columns=["run", "map_id", "category", "role", "num_images", "measure", "reference", "value", "difference",
                     "ci_low", "ci_high", "outcome"],
        ),
        "pull": findings.pull,
        "concepts": findings.concepts,
        "believe": findings.believe,
        "settings": pd.DataFrame(
            [[entry.field, *map(str, entry.values)] for entry in findings.alignment.differences],
            columns=["setting", *(run.name for run in findings.runs)],
        ),
    }  # fmt: skip


def _columns(entry: Difference) -> dict[str, float | str]:
    return {
        "reference": entry.reference,
        "value": entry.value,
        "difference": entry.difference.value,
        "ci_low": entry.difference.ci_low,
        "ci_high": entry.difference.ci_high,
        "outcome": entry.outcome,
    }


def _predictions(findings: ComparisonFindings) -> pd.DataFrame:
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


def _flips(findings: ComparisonFindings) -> pd.DataFrame:
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


def _similarities(findings: ComparisonFindings) -> pd.DataFrame:
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
