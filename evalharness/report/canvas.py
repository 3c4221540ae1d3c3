"""A figure laid out by hand in inches: photos, frames and lines of text on one canvas."""

import math
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from PIL import Image

from evalharness.records import UInt8Array
from evalharness.report.style import INK, new_figure, replace_undrawable

TITLE_SIZE = 12
TITLE_MARGIN = 0.15
"""On both sides of the title, in inches."""
SMALLEST_TEXT = 5.0


class _Photo(AxesImage):
    """An image drawn pixel by pixel: matplotlib resamples in floating point even what has the right size already."""

    def make_image(self, *_: Any, **__: Any) -> Any:
        """What to draw, RGBA from the bottom row up, and where its lower left corner is in pixels."""
        box = self.get_window_extent()
        image = Image.fromarray(np.asarray(self.get_array()))
        image = image.resize((max(1, round(box.width)), max(1, round(box.height))), Image.Resampling.BICUBIC).convert(
            "RGBA"
        )
        # Half a pixel goes to the right and down, as matplotlib takes it for a frame.
        left, bottom = math.floor(box.x0 + 0.5), math.ceil(box.y0 - 0.5)
        return np.array(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)), left, bottom, None


class Canvas:
    """A canvas measured from its top left corner.

    All photos share one pair of axes: a pair for each costs more time than the photo itself.

    Args:
        width: In inches.
        height: In inches.
        title: Centred at the top; smaller where the canvas is narrow.
    """

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height = width, height
        self.figure = new_figure(width, height, layout=None)
        self.axes = self.figure.add_axes(
            (0, 0, 1, 1), xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[], frame_on=False
        )
        self.write(width / 2, 0.28, title, size=TITLE_SIZE, align="center", max_width=width - 2 * TITLE_MARGIN)

    def show(self, image: UInt8Array, left: float, top: float, width: float, height: float) -> None:
        """Draws an image into a box, keeping its proportions, at the top and centred."""
        scale = min(width / image.shape[1], height / image.shape[0])
        shown_width, shown_height = image.shape[1] * scale, image.shape[0] * scale
        left += (width - shown_width) / 2
        photo = _Photo(self.axes, extent=(left, left + shown_width, top + shown_height, top))
        photo.set_data(image)
        self.axes.add_image(photo)

    def frame(self, left: float, top: float, width: float, height: float, *, colour: str, line_width: float) -> None:
        """Draws a box around what is inside it."""
        box = Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=line_width)
        self.axes.add_patch(box)

    def write(
        self,
        left: float,
        top: float,
        text: str,
        *,
        colour: str = INK,
        size: float = 8.5,
        align: Literal["left", "center"] = "left",
        max_width: float | None = None,
    ) -> None:
        """Writes a line, vertically centred on `top`; smaller if it would be wider than `max_width` inches."""
        line = self.axes.text(left, top, replace_undrawable(text), color=colour, fontsize=size, ha=align, va="center")
        width = line.get_window_extent().width / self.figure.dpi
        if max_width and width > max_width:
            line.set_fontsize(max(SMALLEST_TEXT, size * max_width / width))

    def add_axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes of their own, for what needs ticks."""
        bottom = self.height - top - height
        return self.figure.add_axes((left / self.width, bottom / self.height, width / self.width, height / self.height))
