"""Precision, recall and F1 of each class as bars."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalharness.records import ClassMetrics, FloatArray
from evalharness.report.style import BLUE, GREEN, MUTED, ORANGE, drawn_text, figure_style, new_figure

MAX_CLASSES = 50
MAX_LABEL_WIDTH = 28
BAR = 0.26
MEASURES = (
    ("precision", "Precision", BLUE, ""),
    ("recall", "Recall", ORANGE, "//"),
    ("f1", "F1", GREEN, ""),
)


@figure_style()
def draw_per_class(per_class: Sequence[ClassMetrics]) -> Figure:
    """Three bars a class, with the number of images that have it; of very many classes, those with the lowest F1.

    Args:
        per_class: One row a class; NaN where a number is not defined, which is written in place of the bar.
    """
    shown = list(per_class)
    title = f"Precision, recall and F1 by class, of {sum(row.support for row in per_class):,} images"
    if len(shown) > MAX_CLASSES:
        shown = sorted(shown, key=lambda row: (np.nan_to_num(row.f1, nan=-1), row.class_name))[:MAX_CLASSES]
        title += f": the {MAX_CLASSES} of {len(per_class)} classes with the lowest F1"
    figure = new_figure(8.0, 1.5 + 0.52 * max(2, len(shown)))
    figure.suptitle(title)
    axes = figure.subplots()
    for offset, (measure, name, colour, hatch) in zip((-BAR, 0, BAR), MEASURES, strict=True):
        scores = np.array([getattr(row, measure) for row in shown], dtype=float)
        places, lengths = np.arange(len(shown)) + offset, np.nan_to_num(scores, nan=0.0)
        axes.barh(places, lengths, 0.92 * BAR, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=name)
        _write_scores(axes, scores, places)
    labels = [f"{drawn_text(row.class_name, MAX_LABEL_WIDTH)}\nn = {row.support:,}" for row in shown]
    axes.set_yticks(range(len(shown)), labels)
    axes.set(xlim=(0, 1.12), ylim=(len(shown) - 0.45, -0.55), xticks=np.linspace(0, 1, 6))
    axes.set(xlabel="Score, 0 to 1 (1 is best)", ylabel="Class, with its number of images n")
    axes.xaxis.grid(visible=True, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    return figure


def _write_scores(axes: Axes, scores: FloatArray, places: FloatArray) -> None:
    for score, place in zip(scores, places, strict=True):
        text, end = ("not defined", 0.0) if np.isnan(score) else (f"{score:.2f}", score)
        line = axes.text(end + 0.008, place, text, va="center", fontsize=7.5, color=MUTED)
        # Inside the axes anyway; measuring every number for the layout takes longer than drawing it.
        line.set_in_layout(False)
