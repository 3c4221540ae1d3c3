"""Sheets of photos: the grid of verdicts, and the pairs of photo and attention map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from evalharness.records import WHOLE, Extent, FloatArray, UInt8Array
from evalharness.report.canvas import Canvas
from evalharness.report.overlay import ALPHA, COLOUR_MAP, STYLES, fit
from evalharness.report.style import (
    DPI,
    MUTED,
    RIGHT_COLOUR,
    RIGHT_SIGN,
    WRONG_COLOUR,
    WRONG_SIGN,
    drawn_text,
    figure_style,
)

GRID_SIDE = 4
PAIRS_PER_ROW = 2
MAX_PANEL_ASPECT = 4.0
# In inches.
PANEL = 2.3
MARGIN = 0.35
GAP = 0.1
TOP = 0.6
LINE = 0.17
ROW_SPACE = 0.18
BAR_SPACE = 0.85
# One pixel of a photo is then one pixel of the sheet.
PHOTO_PIXELS = round(PANEL * DPI)


@dataclass(frozen=True, slots=True)
class AttentionPair:
    """One photo with its attention map, and the verdict on it."""

    row_id: str
    photo: UInt8Array
    """RGB (height, width, 3)."""
    density: FloatArray
    """(rows, columns) of the patch grid; 1 is an average patch; NaN if the map is not defined."""
    label: str
    pred_label: str
    confidence: float
    map_id: str
    extent: Extent = WHOLE
    """The part of the model's input that the photo spans."""

    @property
    def is_correct(self) -> bool:
        """Whether the verdict is right."""
        return self.label == self.pred_label


@figure_style()
def draw_prediction_grid(samples: pd.DataFrame, photo: Callable[[str], UInt8Array]) -> Figure:
    """Up to sixteen photos from evenly spaced rows, with their true and predicted labels.

    Args:
        samples: With the columns `row_id, label, pred_label`, in the order to space them over: every n//16-th row.
        photo: Gives the RGB image (height, width, 3) of a row id.
    """
    num_cells = GRID_SIDE**2
    rows = samples.iloc[:: max(1, len(samples) // num_cells)].head(num_cells)
    photos = [fit(photo(str(row_id)), PHOTO_PIXELS) for row_id in rows["row_id"]]
    num_columns, num_rows = min(GRID_SIDE, len(photos)), -(-len(photos) // GRID_SIDE)
    height = PANEL * aspect(photos)
    row_height = 2 * LINE + height + ROW_SPACE
    title = f"{len(photos)} of {len(samples):,} images, evenly spaced"
    canvas = Canvas(num_columns * (PANEL + MARGIN) + MARGIN, TOP + num_rows * row_height + 0.35, title)
    for index, (image, label, pred_label) in enumerate(zip(photos, rows["label"], rows["pred_label"], strict=True)):
        grid_row, grid_column = divmod(index, GRID_SIDE)
        left, top = MARGIN + grid_column * (PANEL + MARGIN), TOP + grid_row * row_height
        _draw_verdict(canvas, image, label, pred_label, (left, top, height))
    canvas.write(MARGIN, canvas.height - 0.25, f"{WRONG_SIGN} and a thick frame: predicted wrong", colour=MUTED)
    return canvas.figure


def _draw_verdict(
    canvas: Canvas, image: UInt8Array, label: str, pred_label: str, place: tuple[float, float, float]
) -> None:
    left, top, height = place
    is_correct = label == pred_label
    colour, line_width, sign = (RIGHT_COLOUR, 0.8, "") if is_correct else (WRONG_COLOUR, 4.0, f"  {WRONG_SIGN}")
    canvas.write(left, top, f"True Label: {drawn_text(label, 26)}", colour=colour, max_width=PANEL)
    canvas.write(
        left, top + LINE, f"Predicted Label: {drawn_text(pred_label, 22)}{sign}", colour=colour, max_width=PANEL
    )
    canvas.show(image, left, top + 1.7 * LINE, PANEL, height)
    canvas.frame(left, top + 1.7 * LINE, PANEL, height, colour=colour, line_width=line_width)


@figure_style()
def draw_contact_sheet(
    pairs: Sequence[AttentionPair], *, title: str, density_max: float, style: str = "overlay"
) -> Figure:
    """Pairs of *Original | Attention Map*, two in a row, all on one colour scale.

    Args:
        pairs: At least one.
        title: What the pairs have in common.
        density_max: Density at the top of the colour scale.
        style: `overlay` or `darkened`.
    """
    height = PANEL * aspect([pair.photo for pair in pairs])
    pair_width, row_height = 2 * PANEL + GAP, 3 * LINE + height + 1.5 * ROW_SPACE
    num_rows, num_columns = -(-len(pairs) // PAIRS_PER_ROW), min(len(pairs), PAIRS_PER_ROW)
    width = num_columns * (pair_width + MARGIN) + MARGIN
    canvas = Canvas(width, TOP + num_rows * row_height + BAR_SPACE, title)
    for index, pair in enumerate(pairs):
        sheet_row, sheet_column = divmod(index, PAIRS_PER_ROW)
        left, top = MARGIN + sheet_column * (pair_width + MARGIN), TOP + sheet_row * row_height
        photo = fit(pair.photo, PHOTO_PIXELS)
        attention = STYLES[style](photo, pair.density, density_max=density_max, extent=pair.extent)
        for panel_left, name, image in ((left, "Original", photo), (left + PANEL + GAP, "Attention Map", attention)):
            canvas.write(panel_left + PANEL / 2, top, name, size=9, align="center")
            canvas.show(image, panel_left, top + 0.7 * LINE, PANEL, height)
        _write_caption(canvas, pair, left, top + 0.7 * LINE + height)
    add_colour_bar(canvas, density_max, style)
    return canvas.figure


def aspect(photos: Sequence[UInt8Array]) -> float:
    """Height over width of the tallest photo, up to what a sheet has room for: a taller one is drawn narrower."""
    return min(MAX_PANEL_ASPECT, max((photo.shape[0] / photo.shape[1] for photo in photos), default=1.0))


def _write_caption(canvas: Canvas, pair: AttentionPair, left: float, bottom: float) -> None:
    sign, colour = (RIGHT_SIGN, RIGHT_COLOUR) if pair.is_correct else (WRONG_SIGN, WRONG_COLOUR)
    verdict = f"{sign} true {drawn_text(pair.label, 26)} → predicted {drawn_text(pair.pred_label, 26)}"
    map_id = drawn_text(pair.map_id, 30)
    source = f"confidence {pair.confidence:.3f}   {drawn_text(pair.row_id, 58 - len(map_id))}   {map_id}"
    width = 2 * PANEL + GAP
    canvas.write(left, bottom + 0.8 * LINE, verdict, colour=colour, max_width=width)
    canvas.write(left, bottom + 1.8 * LINE, source, colour=MUTED, size=7.5, max_width=width)


def add_colour_bar(canvas: Canvas, density_max: float, style: str = "overlay") -> None:
    """The colours as they look over a bright photo, with the average patch marked."""
    is_dark = style == "darkened"
    tints = colormaps["gray" if is_dark else COLOUR_MAP](np.arange(256))
    if not is_dark:
        tints = ALPHA * tints + (1 - ALPHA)
    scale = ScalarMappable(PowerNorm(0.5, 0, density_max), ListedColormap(tints[:, :3]))
    axes = canvas.add_axes(MARGIN, canvas.height - 0.7, 2 * PANEL + GAP, 0.14)
    bar = canvas.figure.colorbar(scale, cax=axes, orientation="horizontal", extend="max")
    ticks = MaxNLocator(6, integer=True).tick_values(0, density_max)
    bar.locator = FixedLocator(sorted({1.0, *(float(tick) for tick in ticks if 0 <= tick <= density_max)}))
    bar.set_label("attention density (1 = average patch), the same scale on every sheet", fontsize=8.5)
