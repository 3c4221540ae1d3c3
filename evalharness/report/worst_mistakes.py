"""The sheet of wrong verdicts: each photo beside its map, what was taken for what, how surely, and looking where."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from evalharness.report.canvas import Canvas
from evalharness.report.overlay import STYLES, fit
from evalharness.report.photo_sheets import (
    BAR_SPACE,
    LINE,
    MARGIN,
    ROW_SPACE,
    AttentionPair,
    add_colour_bar,
    aspect,
)
from evalharness.report.style import DPI, INK, MUTED, WRONG_COLOUR, WRONG_SIGN, drawn_text, figure_style

PER_ROW = 4
# In inches.
PANEL = 1.65
GAP = 0.06
TOP = 0.7
LEAST_WIDTH = 7.8
PHOTO_PIXELS = round(PANEL * DPI)
NUM_LINES = 3.4
"""Of a caption, with the space above it."""
NAME_COLUMNS, LINE_COLUMNS = 6.5, 14
"""Characters of a class name and of a line on an inch."""
LEGEND = "true → predicted, with its confidence"
LEGEND_OF_MAPS = "then, where regions are known, the one that holds the largest part of the map"


@figure_style()
def draw_worst_mistakes(
    pairs: Sequence[AttentionPair],
    remarks: Sequence[str],
    *,
    num_wrong: int,
    num_images: int,
    density_max: float,
    style: str = "overlay",
    has_maps: bool = True,
) -> Figure:
    """Four in a row, in the order in which they are given.

    Args:
        pairs: At least one, the worst first, of one map.
        remarks: A line for each, such as the region that its map lies on; may be empty.
        num_wrong: Wrong verdicts that there are.
        num_images: Images that were judged.
        density_max: Density at the top of the colour scale.
        style: `overlay` or `darkened`.
        has_maps: Whether to draw maps; without, the photos alone.
    """
    height = PANEL * aspect([pair.photo for pair in pairs])
    width, row_height = 2 * PANEL + GAP if has_maps else PANEL, height + NUM_LINES * LINE + ROW_SPACE
    num_rows, num_columns = -(-len(pairs) // PER_ROW), min(len(pairs), PER_ROW)
    page_width = max(num_columns * (width + MARGIN) + MARGIN, LEAST_WIDTH)
    title, legend = _title(len(pairs), num_wrong, num_images), LEGEND
    if has_maps:
        title, legend = f"{title} — {drawn_text(pairs[0].map_id, 40)}", f"{LEGEND}; {LEGEND_OF_MAPS}"
    canvas = Canvas(page_width, TOP + num_rows * row_height + (BAR_SPACE if has_maps else 0.1), title)
    canvas.write(page_width / 2, 0.5, legend, colour=MUTED, align="center", max_width=page_width - 2 * MARGIN)
    for index, (pair, remark) in enumerate(zip(pairs, remarks, strict=True)):
        sheet_row, sheet_column = divmod(index, PER_ROW)
        left, top = MARGIN + sheet_column * (width + MARGIN), TOP + sheet_row * row_height
        photo = fit(pair.photo, PHOTO_PIXELS)
        canvas.show(photo, left, top, PANEL, height)
        if has_maps:
            drawn = STYLES[style](photo, pair.density, density_max=density_max, extent=pair.extent)
            canvas.show(drawn, left + PANEL + GAP, top, PANEL, height)
        _write_caption(canvas, pair, remark, (left, top + height, width))
    if has_maps:
        add_colour_bar(canvas, density_max, style)
    return canvas.figure


def _title(num_shown: int, num_wrong: int, num_images: int) -> str:
    if num_wrong == 1:
        return f"The one wrong verdict of {num_images:,} images"
    counted = f"{num_shown:,} of {num_wrong:,}" if num_shown < num_wrong else f"All {num_wrong:,}"
    return f"{counted} wrong verdicts of {num_images:,} images, the most confident first, classes taking turns"


def _write_caption(canvas: Canvas, pair: AttentionPair, remark: str, place: tuple[float, float, float]) -> None:
    left, bottom, width = place
    name, line = round(NAME_COLUMNS * width), round(LINE_COLUMNS * width)
    labels = f"{drawn_text(pair.label, name)} → {drawn_text(pair.pred_label, name)}"
    lines = [
        (f"{WRONG_SIGN} {labels}  {pair.confidence:.2f}", WRONG_COLOUR, 9.0),
        (drawn_text(remark, line), INK, 8.0),
        (drawn_text(pair.row_id, line), MUTED, 7.5),
    ]
    for number, (text, colour, size) in enumerate(line for line in lines if line[0]):
        canvas.write(left, bottom + (number + 0.8) * LINE, text, colour=colour, size=size, max_width=width)
