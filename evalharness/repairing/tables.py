"""The tables of a repair: a CSV each in its folder."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax

from evalharness.records import IntArray, Interval
from evalharness.repairing.mended import Mended


def build_tables(mended: Mended) -> dict[str, pd.DataFrame]:
    """Every table by name; the columns speak for themselves."""
    return {
        "accuracy": pd.DataFrame(
            [
                {
                    "photos": entry.name, "pasted": entry.is_pasted, "n": entry.pair.num_images,
                    **_columns("before", entry.before), **_columns("after", entry.after),
                    **_columns("difference", entry.pair.metrics["accuracy"].difference),
                    "num_broken": entry.pair.num_broken, "num_fixed": entry.pair.num_fixed,
                }
                for entry in mended.findings.accuracies
            ]
        ),
        "pull": pd.DataFrame(
            [
                {
                    "category": change.category, "class": change.class_name, "harmful": change.is_harmful,
                    "n": change.num_images, **_columns("before", change.before), **_columns("after", change.after),
                    **_columns("fall", change.fall),
                }
                for change in mended.findings.pulls
            ]
        ),
        "predictions": _predictions(mended),
    }  # fmt: skip


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.value, f"{name}_ci_low": interval.ci_low, f"{name}_ci_high": interval.ci_high}


def _predictions(mended: Mended) -> pd.DataFrame:
    """A row per evaluated photo, and per photo with a pasted cut-out."""
    evaluation = mended.evaluation
    everything: IntArray = np.arange(len(evaluation.samples))
    positions, shots, pasted = [everything], [everything], [""] * len(evaluation.samples)
    for entry in mended.proof.categories:
        if entry.is_pasted:
            positions.append(entry.positions)
            shots.append(entry.shots)
            pasted += [entry.category] * len(entry.positions)
    rows, asked = np.concatenate(positions), np.concatenate(shots)
    classes = np.array(evaluation.classes)
    columns: dict[str, Any] = {
        "row_id": [evaluation.samples[row].row_id for row in rows],
        "pasted": pasted,
        "label": classes[evaluation.labels[rows]],
    }
    for name, logits in (("before", mended.before), ("after", mended.after)):
        probs = softmax(np.asarray(logits[asked], np.float64), axis=1)
        columns |= {f"pred_label_{name}": classes[probs.argmax(axis=1)], f"confidence_{name}": probs.max(axis=1)}
    return pd.DataFrame(columns)
