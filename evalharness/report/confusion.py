"""The confusion matrix as a figure: counts beside percentages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from evalharness.records import FloatArray, IntArray
from evalharness.report.style import (
    INK,
    RIGHT_TINTS,
    WRONG_TINTS,
    drawn_text,
    figure_style,
    new_figure,
    text_on,
    text_width,
)

# In inches: the side of a cell, as long as the matrix is neither small nor large.
CELL = 0.26
PANEL_MIN, PANEL_MAX = 3.8, 11.0
SMALLEST_TEXT = 5.0
MAX_LABELS = 80
MAX_LABEL_WIDTH = 24
UNDEFINED = "#dddddd"


@dataclass(frozen=True, slots=True)
class _Panel:
    """One matrix to draw."""

    title: str
    values: FloatArray
    """(C, C); NaN where undefined."""
    texts: list[list[str]]
    colour_max: float
    unit: str


@figure_style()
def draw_confusion_matrix(confusion: IntArray, class_names: Sequence[str]) -> Figure:
    """Counts, and the same as percentages of each true class.

    Args:
        confusion: Counts (C, C), true classes in rows.
        class_names: C names, in the order of the matrix.
    """
    labels = [drawn_text(name, MAX_LABEL_WIDTH) for name in class_names]
    support = confusion.sum(axis=1, keepdims=True)
    percent = np.where(support > 0, 100 * confusion / np.maximum(support, 1), np.nan)
    panels = (
        _Panel("Counts", confusion.astype(float), _count_texts(confusion), max(1, confusion.max()), "images"),
        _Panel("Row-normalised: percent of each true class", percent, _percent_texts(percent), 100, "% of true class"),
    )
    side = float(np.clip(CELL * len(labels), PANEL_MIN, PANEL_MAX))
    margin = 0.5 + 0.085 * max(map(text_width, labels))
    figure = new_figure(2 * (side + margin + 0.9), side + 1.1 + 0.06 * max(map(text_width, labels)))
    figure.suptitle(f"Confusion matrix of {confusion.sum():,} images")
    for axes, panel in zip(figure.subplots(1, 2), panels, strict=True):
        _draw_panel(axes, panel, labels, cell_points=72 * side / len(labels))
    return figure


def _count_texts(confusion: IntArray) -> list[list[str]]:
    return [[str(count) for count in row] for row in confusion]


def _percent_texts(percent: FloatArray) -> list[list[str]]:
    """Whole percents, where neither a few images read as none nor almost all as all."""
    return [["-" if np.isnan(value) else _percent_text(value) for value in row] for row in percent]


def _percent_text(value: float) -> str:
    if 0 < value < 1:
        return "<1"
    if 99 < value < 100:
        return ">99"
    return f"{value:.0f}"


def _draw_panel(axes: Axes, panel: _Panel, labels: list[str], *, cell_points: float) -> None:
    axes.set_facecolor(UNDEFINED)
    is_right = np.eye(len(labels), dtype=bool)
    right, wrong = (
        axes.imshow(np.where(hidden, np.nan, panel.values), cmap=tints, vmin=0, vmax=panel.colour_max)
        for hidden, tints in ((~is_right, RIGHT_TINTS), (is_right, WRONG_TINTS))
    )
    # The first is the outer one.
    for image, label in ((right, f"{panel.unit} (blue: right, red: wrong)"), (wrong, "")):
        bar = axes.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.015, aspect=35, label=label)
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(6, integer=True) if label else NullLocator()
    axes.set(title=panel.title, xlabel="Predicted label", ylabel="True label")
    step = -(-len(labels) // MAX_LABELS)
    ticks = range(0, len(labels), step)
    size = float(np.clip(0.75 * cell_points * step, SMALLEST_TEXT, 9))
    axes.set_yticks(ticks, labels[::step], fontsize=size)
    fits = max(map(text_width, labels)) * 0.6 * size < 0.9 * cell_points * step
    angle, anchor = (0, "center") if fits else (45, "right") if cell_points > 14 else (90, "center")
    axes.set_xticks(
        ticks, labels[::step], fontsize=size, rotation=angle, ha=anchor, va="top", rotation_mode=_mode(angle)
    )
    axes.tick_params(length=2)
    backgrounds = np.where(is_right[..., None], right.to_rgba(panel.values), wrong.to_rgba(panel.values))
    _write_cells(axes, panel, backgrounds, cell_points)


def _mode(angle: int) -> str:
    return "anchor" if angle == 45 else "default"


def _write_cells(axes: Axes, panel: _Panel, backgrounds: FloatArray, cell_points: float) -> None:
    """The numbers, as large as fits in a cell; none if they would be too small to read."""
    longest = max(len(text) for row in panel.texts for text in row)
    size = min(11, 0.85 * cell_points / (0.65 * max(2, longest)))
    if size < SMALLEST_TEXT:
        return
    has_many = len(panel.texts) > 10
    for (row, column), value in np.ndenumerate(panel.values):
        if value == 0 and has_many:
            continue
        colour = INK if np.isnan(value) else text_on(backgrounds[row, column, :3])
        text = axes.text(column, row, panel.texts[row][column], ha="center", va="center", fontsize=size, color=colour)
        # Inside the axes anyway; measuring hundreds of numbers for the layout takes longer than drawing them.
        text.set_in_layout(False)
