"""Figures of a comparison: what differs from the reference, class by class too, each with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalharness.comparison import Difference, PairedRun
from evalharness.metrics import METRICS
from evalharness.report.style import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    SKY,
    VERMILLION,
    as_text,
    drawn_text,
    figure_style,
    new_figure,
)

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, SKY)
MARKERS = ("o", "s", "D", "^", "v")
# The reference is the first run wherever it is drawn.
COLOURS_OF_OTHERS, MARKERS_OF_OTHERS = COLOURS[1:] + COLOURS[:1], MARKERS[1:] + MARKERS[:1]
COLOURS_OF_MEASURES = (ORANGE, GREEN)
"""Of recall and F1, as in the figure of a single run."""
MAX_CLASSES = 50
UNBOUNDED = "log_loss"
"""Has no fixed range, so that it gets a scale of its own."""


@figure_style()
def draw_differences(pairs: Sequence[PairedRun]) -> Figure:
    """The difference of every headline metric from the reference, with its paired interval, a colour per run.

    Args:
        pairs: At least one, all against one reference.
    """
    bounded = [name for name in pairs[0].metrics if name != UNBOUNDED]
    others = [name for name in pairs[0].metrics if name == UNBOUNDED]
    figure = new_figure(8.5, 2.4 + 0.3 * len(pairs) + 0.34 * len(pairs[0].metrics))
    reference = drawn_text(pairs[0].reference, 60)
    figure.suptitle(f"Difference from {reference}\non {pairs[0].num_images:,} images, with paired bootstrap intervals")
    groups = [names for names in (bounded, others) if names]
    panels = figure.subplots(len(groups), 1, squeeze=False, height_ratios=[len(names) + 0.5 for names in groups])[:, 0]
    for axes, names in zip(panels, groups, strict=True):
        labels = [name if METRICS[name].higher_is_better else f"{name} (lower is better)" for name in names]
        rows = {pair.name: [pair.metrics[name] for name in names] for pair in pairs}
        _draw_intervals(axes, labels, rows, COLOURS_OF_OTHERS, MARKERS_OF_OTHERS)
    panels[-1].set_xlabel("run minus reference; an interval that crosses zero does not tell")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=1, frameon=False)
    return figure


@figure_style()
def draw_class_changes(pair: PairedRun) -> Figure:
    """Recall and F1 of every class against the reference, with the number of broken and fixed images.

    Args:
        pair: One run; of very many classes those with the most broken and fixed images are drawn.
    """
    shown = list(pair.classes)
    title = (
        f"{drawn_text(pair.name, 36)} against {drawn_text(pair.reference, 36)}, by class:\n"
        f"{pair.num_broken:,} broken and {pair.num_fixed:,} fixed of {pair.num_images:,} images"
    )
    if len(shown) > MAX_CLASSES:
        shown = sorted(shown, key=lambda row: -(row.num_broken + row.num_fixed))[:MAX_CLASSES]
        title += f"; the {MAX_CLASSES} of {len(pair.classes)} classes that changed most"
    figure = new_figure(8.5, 2.2 + 0.5 * max(2, len(shown)))
    figure.suptitle(title)
    axes = figure.subplots()
    labels = [
        f"{drawn_text(row.class_name, 28)} (n = {row.support:,})\n{row.num_broken} broken, {row.num_fixed} fixed"
        for row in shown
    ]
    measures = {"recall": [row.recall for row in shown], "F1": [row.f1 for row in shown]}
    _draw_intervals(axes, labels, measures, COLOURS_OF_MEASURES, MARKERS)
    axes.set_xlabel(
        "run minus reference, with paired bootstrap intervals\n"
        "broken: right under the reference and wrong under the run; fixed: the reverse"
    )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


@figure_style()
def draw_calibrations(bins: Mapping[str, Sequence[tuple[float, float, int]]]) -> Figure:
    """Accuracy against confidence of every run on one pair of axes.

    Args:
        bins: By run name: mean confidence, accuracy and count of each confidence bin.
    """
    figure = new_figure(6.2, 6.0 + 0.2 * len(bins))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color=MUTED, linewidth=1, label="perfectly calibrated")
    for index, (name, rows) in enumerate(bins.items()):
        filled = np.array([row for row in rows if row[2]], np.float64)
        sizes = 8 + 240 * filled[:, 2] / filled[:, 2].sum()
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        axes.plot(filled[:, 0], filled[:, 1], color=colour, linewidth=1, alpha=0.5)
        label = f"{drawn_text(name, 60)} (n = {int(filled[:, 2].sum()):,})"
        axes.scatter(filled[:, 0], filled[:, 1], sizes, colour, marker=marker, alpha=0.7, label=label, clip_on=False)
    axes.set(xlim=(0, 1.02), ylim=(-0.02, 1.02), xlabel="Confidence (probability of the predicted class)")
    axes.set_ylabel("Accuracy (share of images right)")
    figure.suptitle(f"Calibration of {len(bins)} runs")
    axes.set_title(
        "A larger mark stands for more images; bins of a few tell little.\nBelow the dashed line: overconfident.",
        fontsize=8.5, color=MUTED,
    )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=1, frameon=False)
    return figure


def _draw_intervals(
    axes: Axes,
    labels: Sequence[str],
    rows: Mapping[str, Sequence[Difference]],
    colours: Sequence[str],
    markers: Sequence[str],
) -> None:
    """A line of intervals per label, those of one series in one colour."""
    offsets = np.linspace(-0.22, 0.22, len(rows)) if len(rows) > 1 else np.zeros(1)
    axes.axvline(0, color=MUTED, linewidth=1)
    for index, (name, entries) in enumerate(rows.items()):
        colour, marker = colours[index % len(colours)], markers[index % len(markers)]
        places = np.arange(len(entries)) + offsets[index]
        intervals = [entry.difference for entry in entries]
        axes.hlines(
            places, [entry.ci_low for entry in intervals], [entry.ci_high for entry in intervals], colour, linewidth=2
        )
        values = [entry.value for entry in intervals]
        axes.plot(values, places, marker, color=colour, markersize=5, label=drawn_text(name, 60))
        for place, value in zip(places, values, strict=True):
            text = "not defined" if np.isnan(value) else f"{value:+.3f}"
            at = (1.01, place)
            axes.annotate(
                text,
                at,
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7.5,
                color=as_text(colour),
                annotation_clip=False,
            )
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.xaxis.grid(visible=True, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
