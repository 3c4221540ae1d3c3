"""Crops of what maps light up, with the name that a pre-trained model gives them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from evalharness.records import UInt8Array
from evalharness.report.canvas import Canvas
from evalharness.report.overlay import fit
from evalharness.report.photo_sheets import GAP, LINE, MARGIN, PANEL, PHOTO_PIXELS, ROW_SPACE, TOP, aspect
from evalharness.report.style import MUTED, drawn_text, figure_style

PER_ROW = 2


@dataclass(frozen=True, slots=True)
class NamedCrop:
    """One photo beside the crop that was named."""

    row_id: str
    photo: UInt8Array
    """RGB (height, width, 3): the photo under its map."""
    crop: UInt8Array
    """RGB (height, width, 3)."""
    name: str
    confidence: float
    remark: str


def mark_box(photo: UInt8Array, box: Sequence[float]) -> UInt8Array:
    """The photo with a white frame.

    Args:
        photo: RGB (height, width, 3).
        box: Top, bottom, left and right as parts of its height and width.
    """
    height, width = photo.shape[:2]
    top, bottom, left, right = (
        round(part * side) for part, side in zip(box, (height, height, width, width), strict=True)
    )
    thick = max(1, round(max(height, width) / 150))
    marked = photo.copy()
    marked[top:bottom, left:right] = 255
    inside = (slice(top + thick, bottom - thick), slice(left + thick, right - thick))
    marked[inside] = photo[inside]
    return marked


@figure_style()
def draw_named_crops(crops: Sequence[NamedCrop], *, title: str) -> Figure:
    """Draws each photo under its map beside the crop and its name.

    Args:
        crops: At least one.
        title: What they have in common.
    """
    height = PANEL * aspect([crop.photo for crop in crops])
    pair_width, row_height = 2 * PANEL + GAP, 3 * LINE + height + ROW_SPACE
    num_columns = min(len(crops), PER_ROW)
    canvas = Canvas(
        num_columns * (pair_width + MARGIN) + MARGIN, TOP + -(-len(crops) // PER_ROW) * row_height + 0.2, title
    )
    for index, crop in enumerate(crops):
        row, column = divmod(index, PER_ROW)
        left, top = MARGIN + column * (pair_width + MARGIN), TOP + row * row_height
        canvas.show(fit(crop.photo, PHOTO_PIXELS), left, top, PANEL, height)
        canvas.show(fit(crop.crop, PHOTO_PIXELS), left + PANEL + GAP, top, PANEL, height)
        bottom = top + height
        canvas.write(
            left, bottom + 0.8 * LINE, f"{drawn_text(crop.name, 40)}? ({crop.confidence:.2f})", max_width=pair_width
        )
        canvas.write(
            left, bottom + 1.8 * LINE, f"{drawn_text(crop.row_id, 50)}   {crop.remark}", colour=MUTED, size=7.5,
            max_width=pair_width,
        )  # fmt: skip
    return canvas.figure
