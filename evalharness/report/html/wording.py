"""Numbers as text, and what they mean in plain words."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from evalharness.manifest import describe_averages
from evalharness.report.html.run_contents import RunContents

UNDEFINED = "—"
METRICS = {
    "accuracy": ("Accuracy", "part of all images named right", True),
    "balanced_accuracy": ("Balanced accuracy", "mean over the classes that have images of the part named right", True),
    "top2_accuracy": ("Top-2 accuracy", "part whose true class is among the two most probable", True),
    "macro_precision": (
        "Precision, mean",
        "of the answers “class c”, the part that is right; mean over the classes that occur",
        True,
    ),
    "macro_recall": (
        "Recall, mean",
        "of the images of class c, the part that is found; mean over the classes that occur",
        True,
    ),
    "macro_f1": ("F1, mean", "precision and recall in one number; mean over the classes that occur", True),
    "mcc": ("Matthews correlation", "1 perfect, 0 no better than guessing", True),
    "log_loss": ("Log loss", "0 perfect; punishes confident mistakes", False),
    "brier": ("Brier score", "0 perfect, 2 worst: squared error of the probabilities", False),
    "ece": ("Calibration error", "mean distance between confidence and accuracy", False),
    "roc_auc": ("ROC-AUC", "chance that the right class ranks an image of it above another", True),
}
"""By name: the title, what it is, and whether higher is better."""
LEADING = ("accuracy", "balanced_accuracy", "macro_f1", "ece")
WELL_CALIBRATED = 0.02


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float | np.number) and math.isfinite(float(value))


def number(value: object, digits: int = 3) -> str:
    """A number, or a dash where there is none."""
    return f"{float(value):.{digits}f}" if is_number(value) else UNDEFINED  # type: ignore[arg-type]


def percent(value: object, digits: int = 0) -> str:
    """A part of 1 as percent."""
    return f"{100 * float(value):.{digits}f} %" if is_number(value) else UNDEFINED  # type: ignore[arg-type]


def between(interval: Mapping[str, Any], digits: int = 2) -> str:
    """`low to high` of an interval; empty where it is not defined."""
    if not is_number(interval["ci_low"]):
        return ""
    return f"{number(interval['ci_low'], digits)} to {number(interval['ci_high'], digits)}"


def signed(value: object, digits: int = 3) -> str:
    """A number with its sign, or a dash where there is none."""
    return f"{float(value):+.{digits}f}" if is_number(value) else UNDEFINED  # type: ignore[arg-type]


def change(interval: Mapping[str, Any], digits: int = 3) -> str:
    """`low to high` of an interval of differences, with signs; empty where it is not defined."""
    if not is_number(interval["ci_low"]):
        return ""
    return f"{signed(interval['ci_low'], digits)} to {signed(interval['ci_high'], digits)}"


def headline(run: RunContents) -> list[dict[str, Any]]:
    """The metrics with an interval, as rows of a table."""
    rows = []
    for name, (low, high) in run.manifest["intervals"].items():
        title, meaning, higher_is_better = METRICS.get(name, (name, "", None))
        rows.append(
            {
                "name": name,
                "title": title,
                "meaning": meaning,
                "direction": {True: "higher is better", False: "lower is better", None: ""}[higher_is_better],
                "value": run.manifest["metrics"].get(name),
                "ci_low": low,
                "ci_high": high,
                "is_leading": name in LEADING,
            }
        )
    return rows


def explain(run: RunContents) -> list[str]:
    """What the numbers mean, a sentence each."""
    manifest = run.manifest
    num_images, num_right = len(run.samples), int(run.samples["correct"].sum())
    accuracy = num_right / num_images
    sentences = [f"Of {num_images:,} images the model names {num_right:,} right ({percent(accuracy, 1)})."]
    low, high = manifest["intervals"].get("accuracy", (None, None))
    if is_number(low):
        confidence = f"{100 * manifest['config']['bootstrap']['confidence']:g} %"
        sentences.append(
            f"With other images of the same kind it would be between {percent(low, 1)} and {percent(high, 1)} "
            f"({confidence} interval): differences smaller than that may be chance."
        )
    if averages := describe_averages(manifest):
        sentences.append(averages)
    sentences += _weakest(run)
    sentences += _confidence(run, accuracy)
    if manifest["num_skipped"]:
        sentences.append(f"{manifest['num_skipped']:,} rows could not be evaluated and are in no number here.")
    return sentences


def _weakest(run: RunContents) -> list[str]:
    support = run.confusion.sum(axis=1)
    present = np.flatnonzero(support)
    if not len(present):
        return []
    recall = run.confusion.diagonal()[present] / support[present]
    worst = present[int(recall.argmin())]
    sentences = [f"The class found least often is {run.classes[worst]}: {percent(recall.min(), 0)} of its images."]
    mistakes = run.confusion - np.diag(run.confusion.diagonal())
    if mistakes.any():
        true, pred = np.unravel_index(int(mistakes.argmax()), mistakes.shape)
        sentences.append(
            f"The most frequent mistake is {run.classes[true]} taken for {run.classes[pred]} "
            f"({mistakes.max():,} of {support[true]:,})."
        )
    return sentences


def _confidence(run: RunContents, accuracy: float) -> list[str]:
    lead = float(run.samples["confidence"].mean()) - accuracy
    if abs(lead) < WELL_CALIBRATED:
        return ["Its confidence is about right on average."]
    direction = "too sure of itself" if lead > 0 else "less sure of itself than it could be"
    return [f"It is {direction}: its confidence is on average {abs(100 * lead):.0f} points {_side(lead)} its accuracy."]


def _side(lead: float) -> str:
    return "above" if lead > 0 else "below"
