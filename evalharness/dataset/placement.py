"""Where an upright photo lands on the model's input: the one place that knows the geometry of resizing."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalharness.records import Extent

Size = tuple[int, int]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placement:
    """Scales the photo to `scaled_size`, then lays it on the canvas with its corner at (`top`, `left`).

    All sizes are (height, width) in pixels. What hangs over the canvas is cropped (negative `top` or `left`); canvas
    that the photo does not reach is padding.
    """

    photo_size: Size
    """Upright: after the EXIF rotation, where that is applied."""
    image_size: Size
    """The canvas: the model's input."""
    scaled_size: Size
    top: int = 0
    left: int = 0

    def to_image(self, points: Points) -> Points:
        """Maps points (x, y) of the photo, shape (n, 2), to the model's input; the corner of a pixel is an integer."""
        return points * self._scale() + self._corner()

    def to_photo(self, points: Points) -> Points:
        """Maps points (x, y) of the model's input, shape (n, 2), to the photo; the inverse of `to_image`."""
        return (points - self._corner()) / self._scale()

    @property
    def extent(self) -> Extent:
        """The part of the canvas that the photo spans."""
        (height, width), (rows, columns) = self.image_size, self.scaled_size
        return Extent(self.top / height, (self.top + rows) / height, self.left / width, (self.left + columns) / width)

    def _scale(self) -> Points:
        rows, columns = (scaled / photo for scaled, photo in zip(self.scaled_size, self.photo_size, strict=True))
        return np.array((columns, rows), np.float64)

    def _corner(self) -> Points:
        return np.array((self.left, self.top), np.float64)


def place(photo_size: Size, image_size: Size, resize: Literal["squash", "crop", "pad"]) -> Placement:
    """Computes the placement of a photo under a resize policy.

    `squash` scales each axis on its own. `crop` scales until the photo covers the canvas (the longer side rounded
    down) and keeps the centre. `pad` scales until it fits (rounded to the nearest pixel, at least one) and centres it.

    Args:
        photo_size: (height, width) of the upright photo.
        image_size: (height, width) of the model's input.
        resize: The policy.
    """
    photo_height, photo_width = photo_size
    height, width = image_size
    is_wider = photo_width * height > width * photo_height
    if resize == "squash":
        return Placement(photo_size, image_size, image_size)
    if resize == "crop" and is_wider:
        scaled = (height, photo_width * height // photo_height)
    elif resize == "crop":
        scaled = (photo_height * width // photo_width, width)
    elif is_wider:
        scaled = (max(1, round(photo_height * width / photo_width)), width)
    else:
        scaled = (height, max(1, round(photo_width * height / photo_height)))
    top, left = round((height - scaled[0]) / 2), round((width - scaled[1]) / 2)
    return Placement(photo_size, image_size, scaled, top, left)
