"""The reliability diagram: does a confidence of 80 % mean right four times in five?"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalharness.records import FloatArray, IntArray, Interval
from evalharness.report.style import BLUE, MUTED, VERMILLION, figure_style, new_figure


@figure_style()
def draw_reliability(bins: Sequence[tuple[float, float, int]], ece: Interval) -> Figure:
    """Accuracy against confidence, over the number of images in each bin.

    Args:
        bins: Mean confidence, accuracy and count of equal-width bins over 0 to 1; NaN in an empty bin.
        ece: The expected calibration error of the same bins.
    """
    confidence, accuracy = np.array([row[:2] for row in bins], dtype=float).T
    counts = np.array([row[2] for row in bins], dtype=int)
    figure = new_figure(6.2, 7.4)
    figure.suptitle(f"Reliability of {counts.sum():,} verdicts: expected calibration error {_interval_text(ece)}")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_accuracy(upper, confidence, accuracy)
    _draw_counts(lower, counts)
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _interval_text(interval: Interval) -> str:
    if np.isnan(interval.value):
        return "not defined"
    return f"{interval.value:.3f}\n(bootstrap interval {interval.ci_low:.3f} to {interval.ci_high:.3f})"


def _draw_accuracy(axes: Axes, confidence: FloatArray, accuracy: FloatArray) -> None:
    width = 1 / len(confidence)
    centres = (np.arange(len(confidence)) + 0.5) * width
    filled = np.isfinite(accuracy)
    axes.bar(centres[filled], accuracy[filled], 0.92 * width, color=BLUE, alpha=0.35, label="accuracy of the bin")
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="perfectly calibrated")
    axes.vlines(
        confidence[filled],
        confidence[filled],
        accuracy[filled],
        color=VERMILLION,
        linewidth=2,
        label="gap between the two",
    )
    axes.plot(
        confidence[filled],
        accuracy[filled],
        "o",
        color=BLUE,
        markersize=5,
        label="at its mean confidence",
        clip_on=False,
    )
    axes.set(ylabel="Accuracy (share of images right)", xlim=(0, 1), ylim=(0, 1.02))
    axes.set_title("Below the dashed line: overconfident. Above: underconfident.", fontsize=9, color=MUTED)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_counts(axes: Axes, counts: IntArray) -> None:
    width = 1 / len(counts)
    centres = (np.arange(len(counts)) + 0.5) * width
    axes.bar(centres, counts, 0.92 * width, color=MUTED, alpha=0.5)
    for centre, count in zip(centres, counts, strict=True):
        if count:
            axes.annotate(
                f"{count}", (centre, count), (0, 2), textcoords="offset points", ha="center", va="bottom", fontsize=7.5
            )
    axes.set(xlabel="Confidence (probability of the predicted class)", ylabel="Images in the bin")
    axes.set_ylim(0, 1.18 * max(1, counts.max()))
    axes.spines[["top", "right"]].set_visible(False)
