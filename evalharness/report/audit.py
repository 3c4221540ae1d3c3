"""Figures of the audit: which animal pulls to which class, and what is looked at, used, both or neither."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from evalharness.audit import QUADRANTS, CategoryAudit, PullCell
from evalharness.records import FloatArray
from evalharness.report.style import (
    BLUE,
    ORANGE,
    PULL_TINTS,
    PURPLE,
    VERMILLION,
    drawn_text,
    figure_style,
    new_figure,
    text_on,
)

QUADRANT_COLOURS = dict(zip(QUADRANTS, (VERMILLION, ORANGE, PURPLE, BLUE), strict=True))
CELL_INCHES = 1.15


@figure_style()
def draw_pull(cells: Sequence[PullCell], *, source: str = "region") -> Figure:
    """The pull matrix: category by class, with intervals; a frame marks what is significant.

    Args:
        cells: Of `pull_matrix`, at least one.
        source: What adds: a region in the image, or a pasted cut-out.
    """
    categories = list(dict.fromkeys(cell.category for cell in cells))
    class_names = list(dict.fromkeys(cell.class_name for cell in cells))
    values = np.full((len(categories), len(class_names)), np.nan)
    for cell in cells:
        values[categories.index(cell.category), class_names.index(cell.class_name)] = cell.pull.value
    figure = new_figure(2.6 + CELL_INCHES * len(class_names), 1.9 + 0.8 * len(categories))
    axes = figure.subplots()
    limit = max(0.05, float(np.nanmax(np.abs(values), initial=0.0)))
    picture = axes.imshow(values, cmap=PULL_TINTS, vmin=-limit, vmax=limit, aspect="auto")
    colours = picture.to_rgba(values)[..., :3]
    for cell in cells:
        row, column = categories.index(cell.category), class_names.index(cell.class_name)
        _write_cell(axes, cell, row, column, background=colours[row, column])
    axes.set_xticks(range(len(class_names)), [drawn_text(name, 16) for name in class_names])
    axes.set_yticks(range(len(categories)), [drawn_text(name, 16) for name in categories])
    axes.set_xlabel(
        "class that the verdict is pulled to\n(framed: significant after Holm's correction; n alone: too few to test)"
    )
    axes.set_ylabel(source)
    axes.set_title(f"Pull: what a {source} adds to the probability of a class, in the n images of other classes")
    figure.colorbar(picture, ax=axes, label="added probability (of 1)")
    return figure


def _write_cell(axes: Axes, cell: PullCell, row: int, column: int, *, background: FloatArray) -> None:
    colour = text_on(background)
    if cell.is_significant is None:
        axes.text(column, row, f"n = {cell.num_images}", ha="center", va="center", color=colour, size=8)
        return
    text = _signed(cell.pull.value, 3)
    if not math.isnan(cell.pull.ci_low):
        text += f"\n[{_signed(cell.pull.ci_low, 2)}, {_signed(cell.pull.ci_high, 2)}]"
    text += f"\nn = {cell.num_images:,}"
    axes.text(column, row, text, ha="center", va="center", color=colour, size=8)
    if cell.is_significant:
        axes.add_patch(_frame(column, row))


def _signed(value: float, digits: int) -> str:
    """With its sign, which a number that is rounded to zero has none of."""
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"


def _frame(column: int, row: int) -> Rectangle:
    return Rectangle((column - 0.47, row - 0.45), 0.94, 0.9, fill=False, edgecolor="black", linewidth=2)


@figure_style()
def draw_quadrants(categories: Sequence[CategoryAudit]) -> Figure:
    """Stacked bars: for each category on each map, the part of images in each quadrant, distractors above the rest.

    Args:
        categories: At least one.
    """
    groups = [
        ("Distractors: clean is what is wanted", [entry for entry in categories if entry.role == "distractor"]),
        ("Objects: relies is what is wanted", [entry for entry in categories if entry.role != "distractor"]),
    ]
    groups = [(title, entries) for title, entries in groups if entries]
    figure = new_figure(9, 1.1 + sum(0.75 + 0.4 * len(entries) for _, entries in groups))
    figure.suptitle("Annotated regions: does the verdict look at them, use them, both or neither?")
    heights = [len(entries) + 0.2 for _, entries in groups]
    panels = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    for axes, (title, entries) in zip(panels, groups, strict=True):
        _draw_bars(axes, entries)
        axes.set_title(title)
    panels[-1].set_xlabel("part of the n images that could be judged, of those that hold the region")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_bars(axes: Axes, entries: Sequence[CategoryAudit]) -> None:
    left = np.zeros(len(entries))
    places = np.arange(len(entries))
    for name, colour in QUADRANT_COLOURS.items():
        widths = np.nan_to_num([entry.quadrants[name].interval.value for entry in entries])
        axes.barh(places, widths, left=left, color=colour, label=name)
        for place, start, width in zip(places, left, widths, strict=True):
            if width >= 0.06:
                axes.text(
                    start + width / 2, place, f"{width:.0%}", ha="center", va="center", color=text_on(colour), size=8
                )
        left += widths
    labels = [
        f"{drawn_text(entry.category, 18)} on {entry.map_id}\nn = {entry.quadrants['relies'].num_images} "
        f"of {entry.num_images}"
        for entry in entries
    ]
    axes.set_yticks(places, labels)
    axes.set_ylim(len(entries) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
