"""Photos with their annotated regions drawn, to be seen before they are believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evalharness.audit import BoolArray
from evalharness.records import UInt8Array
from evalharness.report.style import BLUE, GREEN, INK, ORANGE, SKY, VERMILLION, drawn_text, figure_style, new_figure

COLUMNS = 4
INCHES = 2.6
COLOURS = (
    VERMILLION, SKY, ORANGE, GREEN, "#CC79A7", "#F0E442", BLUE, "#8B4513", "#7B3294", "#00C8C8", "#A6D854", INK,
)  # fmt: skip
MAX_NAMED = 24
"""Categories in the legend."""
LINES: Mapping[str, Literal["-", "--", ":"]] = {"object": "-", "distractor": "--", "ignore": ":"}


@dataclass(frozen=True)
class AnnotatedPhoto:
    """One photo and what is annotated on it."""

    row_id: str
    photo: UInt8Array
    """RGB (height, width, 3)."""
    masks: Mapping[str, BoolArray]
    """By category, in any resolution, in the photo's own orientation."""
    remark: str = ""
    """Why it is shown, where that is a doubt."""


@figure_style()
def draw_region_sheet(photos: Sequence[AnnotatedPhoto], roles: Mapping[str, str], *, title: str) -> Figure:
    """Draws the outline of every region on its photo: a colour a category, a line style a role.

    Args:
        photos: At least one.
        roles: Of every category.
        title: Above all.
    """
    num_rows = -(-len(photos) // COLUMNS)
    categories = sorted({name for entry in photos for name in entry.masks})
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(categories)}
    figure = new_figure(COLUMNS * INCHES, num_rows * (0.8 * INCHES + 0.45) + 0.9)
    figure.suptitle(title)
    axes = np.atleast_2d(figure.subplots(num_rows, COLUMNS, squeeze=False))
    for place in axes.ravel():
        place.set_axis_off()
    for entry, place in zip(photos, axes.ravel(), strict=False):
        height, width = entry.photo.shape[:2]
        place.imshow(entry.photo, extent=(0, width, height, 0))
        for category, mask in entry.masks.items():
            _outline(place, mask, (height, width), colours[category], LINES[roles[category]])
        caption = drawn_text(entry.row_id, 34)
        place.set_title(f"{caption}\n{entry.remark}" if entry.remark else caption, fontsize=8)
    handles = [_handle(f"{drawn_text(name, 24)} ({roles[name]})", colours[name], roles[name])
               for name in categories[:MAX_NAMED]]  # fmt: skip
    if len(categories) > MAX_NAMED:
        handles.append(_handle(f"and {len(categories) - MAX_NAMED} more", "none", "object"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(4, len(handles)), labelcolor=INK, frameon=False
    )
    return figure


def _handle(label: str, colour: str, role: str) -> Line2D:
    return Line2D([], [], color=colour, linestyle=LINES[role], linewidth=2, label=label)


def _outline(place: object, mask: BoolArray, size: tuple[int, int], colour: str, line: str) -> None:
    rows, columns = mask.shape
    # Padded, so that a region at the border has an outline there too.
    padded = np.pad(mask.astype(np.float32), 1)
    across = (np.arange(columns + 2) - 0.5) * size[1] / columns
    down = (np.arange(rows + 2) - 0.5) * size[0] / rows
    for width, shade in ((3.2, "white"), (1.8, colour)):
        place.contour(across, down, padded, levels=[0.5], colors=[shade], linestyles=[line], linewidths=[width])  # type: ignore[attr-defined]
