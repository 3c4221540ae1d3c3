"""The sheet of concepts: a strip of crops each, with what is to be known of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from evalharness.records import UInt8Array
from evalharness.report.canvas import Canvas
from evalharness.report.photo_sheets import LINE, MARGIN, ROW_SPACE, TOP
from evalharness.report.style import MUTED, drawn_text, figure_style

WIDTH = 11.5
"""Of a strip, in inches."""


@dataclass(frozen=True, slots=True)
class ConceptStrip:
    """One concept."""

    crops: UInt8Array
    """RGB (height, width, 3)."""
    headline: str
    remark: str


@figure_style()
def draw_concept_sheet(strips: Sequence[ConceptStrip], *, title: str) -> Figure:
    """Draws the strips below each other.

    Args:
        strips: At least one, of one size.
        title: Above all.
    """
    height = WIDTH * strips[0].crops.shape[0] / strips[0].crops.shape[1]
    row_height = 2.4 * LINE + height + ROW_SPACE
    canvas = Canvas(WIDTH + 2 * MARGIN, TOP + len(strips) * row_height + 0.2, title)
    for number, strip in enumerate(strips):
        top = TOP + number * row_height
        canvas.write(MARGIN, top + 0.6 * LINE, drawn_text(strip.headline), size=9.5, max_width=WIDTH)
        canvas.write(MARGIN, top + 1.7 * LINE, drawn_text(strip.remark), colour=MUTED, size=8, max_width=WIDTH)
        canvas.show(strip.crops, MARGIN, top + 2.4 * LINE, WIDTH, height)
    return canvas.figure
