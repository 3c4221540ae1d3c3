"""The same photos under several runs: one row a photo, one column a run, one colour scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from evalharness.records import UInt8Array
from evalharness.report.canvas import Canvas
from evalharness.report.overlay import fit, overlay
from evalharness.report.photo_sheets import (
    BAR_SPACE,
    GAP,
    LINE,
    MARGIN,
    PANEL,
    PHOTO_PIXELS,
    ROW_SPACE,
    TOP,
    AttentionPair,
    add_colour_bar,
    aspect,
)
from evalharness.report.style import (
    INK,
    MUTED,
    RIGHT_COLOUR,
    RIGHT_SIGN,
    WRONG_COLOUR,
    WRONG_SIGN,
    drawn_text,
    figure_style,
)


@dataclass(frozen=True, slots=True)
class LineupCell:
    """What one run made of the photo."""

    pair: AttentionPair
    remark: str
    """A short line below the verdict, such as the share of attention on a region."""
    has_verdict: bool = True
    """Whether the map comes with a verdict."""


@dataclass(frozen=True, slots=True)
class LineupRow:
    """One photo and what each run made of it."""

    heading: str
    photo: UInt8Array
    """RGB (height, width, 3)."""
    cells: tuple[LineupCell, ...]


@figure_style()
def draw_lineup(rows: Sequence[LineupRow], run_names: Sequence[str], *, title: str, density_max: float) -> Figure:
    """Draws the photo, then its attention map under each run.

    Args:
        rows: At least one, each with a cell per run.
        run_names: Column headings.
        title: What the rows show.
        density_max: Density at the top of the colour scale.
    """
    height = PANEL * aspect([row.photo for row in rows])
    row_height = 2.4 * LINE + height + 1.5 * ROW_SPACE
    num_columns = 1 + len(run_names)
    canvas = Canvas(num_columns * (PANEL + GAP) + 2 * MARGIN, TOP + LINE + len(rows) * row_height + BAR_SPACE, title)
    for column, name in enumerate(["photo", *run_names]):
        left = MARGIN + column * (PANEL + GAP)
        canvas.write(left + PANEL / 2, TOP, drawn_text(name, 26), size=10, align="center", max_width=PANEL)
    for index, row in enumerate(rows):
        _draw_row(canvas, row, TOP + LINE + index * row_height, height, density_max)
    add_colour_bar(canvas, density_max)
    return canvas.figure


def _draw_row(canvas: Canvas, row: LineupRow, top: float, height: float, density_max: float) -> None:
    photo = fit(row.photo, PHOTO_PIXELS)
    canvas.show(photo, MARGIN, top, PANEL, height)
    canvas.write(MARGIN, top + height + 0.8 * LINE, row.heading, colour=INK, max_width=PANEL)
    canvas.write(MARGIN, top + height + 1.8 * LINE, f"true {drawn_text(row.cells[0].pair.label, 26)}", colour=MUTED)
    for column, cell in enumerate(row.cells, start=1):
        left, pair = MARGIN + column * (PANEL + GAP), cell.pair
        canvas.show(overlay(photo, pair.density, density_max=density_max, extent=pair.extent), left, top, PANEL, height)
        sign, colour = (RIGHT_SIGN, RIGHT_COLOUR) if pair.is_correct else (WRONG_SIGN, WRONG_COLOUR)
        verdict = f"{sign} {drawn_text(pair.pred_label, 26)} ({pair.confidence:.2f})"
        if cell.has_verdict:
            canvas.write(left, top + height + 0.8 * LINE, verdict, colour=colour, max_width=PANEL)
        canvas.write(left, top + height + 1.8 * LINE, cell.remark, colour=MUTED, size=7.5, max_width=PANEL)
