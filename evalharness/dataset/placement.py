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


def place(
    photo_size: Size, image_size: Size, resize: Literal["squash", "crop", "pad"], resize_size: Size | None = None
) -> Placement:
    """Computes the placement of a photo under a resize policy.

    `squash` scales each axis on its own. `crop` scales until the photo covers the canvas (the longer side rounded
    down) and keeps the centre. `pad` scales until it fits (rounded to the nearest pixel, at least one) and centres it.
    With `resize_size` the first two scale to it, or until it is covered, and the canvas is cut out of the centre.

    Args:
        photo_size: (height, width) of the upright photo.
        image_size: (height, width) of the model's input.
        resize: The policy.
        resize_size: (height, width), at least those of the model's input; None: the same.
    """
    if resize == "squash":
        scaled = resize_size or image_size
    else:
        scaled = _scaled_evenly(photo_size, resize_size or image_size, is_covering=resize == "crop")
    top, left = (round((side - length) / 2) for side, length in zip(image_size, scaled, strict=True))
    return Placement(photo_size, image_size, scaled, top, left)


def _scaled_evenly(photo_size: Size, target: Size, *, is_covering: bool) -> Size:
    """The photo's size in its own proportions, when it covers the target or fits into it."""
    photo_height, photo_width = photo_size
    height, width = target
    is_wider = photo_width * height > width * photo_height
    if is_covering and is_wider:
        return height, photo_width * height // photo_height
    if is_covering:
        return photo_height * width // photo_width, width
    if is_wider:
        return max(1, round(photo_height * width / photo_width)), width
    return height, max(1, round(photo_width * height / photo_height))
