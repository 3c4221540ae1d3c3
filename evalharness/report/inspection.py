"""One image at the bench: the photo, where the model looked, and what it said, on one picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from evalharness.records import WHOLE, Extent, FloatArray, UInt8Array
from evalharness.report.canvas import Canvas
from evalharness.report.overlay import STYLES, drawn_aspect, fit
from evalharness.report.photo_sheets import BAR_SPACE, GAP, MARGIN, PHOTO_PIXELS, add_colour_bar
from evalharness.report.style import INK, MUTED, WRONG_COLOUR, drawn_text, figure_style

PANEL = 3.6
LINE = 0.2
TOP = 0.6
BOTTOM = 0.2
COLOURS = {"believe": "#00704A", "check": "#8A5A00", "unknown": "#6B3FA0"}
"""Those of the bench's page, as text on white; green means believe, and nothing else."""


@figure_style()
def draw_inspection(
    name: str,
    photo: UInt8Array,
    density: FloatArray | None,
    lines: Sequence[str],
    warnings: Sequence[str],
    *,
    belief: str,
    style: str,
    density_max: float,
    extent: Extent = WHOLE,
    boxes: Sequence[tuple[float, float, float, float]] = (),
) -> Figure:
    """Draws photo | map, with what is to be said below.

    Args:
        name: Of the image, as the title.
        photo: RGB (height, width, 3).
        density: (grid rows, grid columns); None: the photo alone.
        lines: The verdict first.
        warnings: Drawn in colour.
        belief: `believe`, `check` or `unknown`: the colour of the first line.
        style: Of `STYLES`.
        density_max: Top of the colour scale.
        extent: The part of the model's input that the photo spans.
        boxes: Left, top, width and height of what to frame on the photo, as parts of its sides.
    """
    aspect = photo.shape[1] / photo.shape[0]
    if drawn_aspect(aspect) != aspect:
        photo = fit(photo, PHOTO_PIXELS)
    panel_height = PANEL * min(1.6, photo.shape[0] / photo.shape[1])
    first, *others = lines
    texts = [(first, COLOURS[belief]), *((line, INK) for line in others), *((line, WRONG_COLOUR) for line in warnings)]
    bar = BAR_SPACE if density is not None else BOTTOM
    height = TOP + panel_height + (len(texts) + 1) * LINE + bar
    canvas = Canvas(2 * PANEL + GAP + 2 * MARGIN, height, drawn_text(name, 70))
    canvas.show(photo, MARGIN, TOP, PANEL, panel_height)
    for left, top, box_width, box_height in boxes:
        _frame(canvas, photo, panel_height, (left, top, box_width, box_height))
    if density is not None:
        drawn = STYLES[style](photo, density, density_max=density_max, extent=extent)
        canvas.show(drawn, MARGIN + PANEL + GAP, TOP, PANEL, panel_height)
        add_colour_bar(canvas, density_max, style)
    else:
        canvas.write(MARGIN + PANEL + GAP, TOP + LINE, "no map was asked for", colour=MUTED)
    for number, (text, colour) in enumerate(texts, start=1):
        size = 11.0 if number == 1 else 8.5
        canvas.write(
            MARGIN, TOP + panel_height + number * LINE, text, colour=colour, size=size, max_width=2 * PANEL + GAP
        )
    return canvas.figure


def _frame(canvas: Canvas, photo: UInt8Array, panel_height: float, box: tuple[float, float, float, float]) -> None:
    scale = min(PANEL / photo.shape[1], panel_height / photo.shape[0])
    width, height = photo.shape[1] * scale, photo.shape[0] * scale
    left, top, box_width, box_height = box
    canvas.frame(
        MARGIN + (PANEL - width) / 2 + left * width,
        TOP + top * height,
        box_width * width,
        box_height * height,
        colour=WRONG_COLOUR,
        line_width=1.5,
    )
