"""Figures of a repair: accuracy and pull, before and after, each with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalharness.records import Interval
from evalharness.report.style import BLUE, MUTED, VERMILLION, as_text, drawn_text, figure_style, new_figure

COLOURS = {"before": VERMILLION, "after": BLUE}


@dataclass(frozen=True, slots=True)
class BeforeAndAfter:
    """One number, before and after."""

    name: str
    num_images: int
    before: Interval
    after: Interval


@figure_style()
def draw_accuracies(rows: Sequence[BeforeAndAfter]) -> Figure:
    """Part of the photos named right, before and after.

    Args:
        rows: At least one.
    """
    figure, axes = _new(rows, "Accuracy before and after the repair, on the n evaluated photos")
    _draw(axes, rows, "{:.1%}")
    axes.set_xlim(left=min(0.5, axes.get_xlim()[0]), right=1.0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel("part of the photos that is named right, with its interval")
    return figure


@figure_style()
def draw_pulls(rows: Sequence[BeforeAndAfter], limit: float, num_tested: int) -> Figure:
    """What a category adds to the probability of a class, before and after.

    Args:
        rows: At least one.
        limit: Below which nothing is called a shortcut.
        num_tested: Of which these are the first.
    """
    shown = "" if len(rows) == num_tested else f"\nthe first {len(rows)} of {num_tested} that were tested"
    figure, axes = _new(rows, f"Pull before and after the repair, on the n evaluated photos{shown}")
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.axvline(limit, color=MUTED, linewidth=1, linestyle="--", label=f"limit {limit:g}")
    _draw(axes, rows, "{:+.3f}")
    axes.set_xlabel(
        "probability (of 1) that the region adds to the class in photos of other classes, with its interval"
    )
    return figure


def _new(rows: Sequence[BeforeAndAfter], title: str) -> tuple[Figure, Axes]:
    figure = new_figure(8.0, 2.0 + 0.5 * max(2, len(rows)))
    figure.suptitle(title)
    axes = figure.subplots()
    return figure, axes


def _draw(axes: Axes, rows: Sequence[BeforeAndAfter], form: str) -> None:
    """Two lines a row: before above after, the numbers at the right."""
    for offset, (name, colour) in zip((-0.16, 0.16), COLOURS.items(), strict=True):
        intervals = [row.before if name == "before" else row.after for row in rows]
        places = np.arange(len(rows)) + offset
        axes.hlines(
            places, [entry.ci_low for entry in intervals], [entry.ci_high for entry in intervals], colour, linewidth=2
        )
        marker = "o" if name == "before" else "s"
        axes.plot([entry.value for entry in intervals], places, marker, color=colour, markersize=5, label=name)
        for place, entry in zip(places, intervals, strict=True):
            axes.annotate(
                form.format(entry.value),
                (1.01, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7.5,
                color=as_text(colour),
                annotation_clip=False,
            )
    axes.set_yticks(range(len(rows)), [f"{drawn_text(row.name, 34)} (n = {row.num_images:,})" for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.xaxis.grid(visible=True, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
