"""Erasing a region from the model's input, and the same shape elsewhere as the control."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from evalharness.audit.geometry import BoolArray, ImageRegions, Role, bounding_box
from evalharness.audit.seeding import generator_for
from evalharness.records import FloatArray, UInt8Array

Offset = tuple[int, int]
Scalar = TypeVar("Scalar", bound=np.generic)
Status = Literal["ok", "no_control", "empty", "full"]
BLUR_SIGMA_SHARE = 0.1
INPAINT_RADIUS = 3
TINY_WEIGHT = 1e-6
NEIGHBOURS = np.ones((3, 3), np.bool_)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What to erase from one image for one category."""

    status: Status
    """`ok`; `no_control`: no place for a control was found; `empty`, `full`: no pixel, or every pixel of the photo,
    would be erased, so that nothing can be learnt."""
    pixels: BoolArray
    """To be erased, (height, width)."""
    offsets: tuple[Offset, ...]
    """Translation (rows, columns) of each control that was found; up to K."""

    def control(self, index: int) -> BoolArray:
        """The pixels of one control, (height, width)."""
        return translate(self.pixels, self.offsets[index])


def pixels_to_erase(coverage: FloatArray) -> BoolArray:
    """Every pixel that the region touches, and their eight neighbours.

    Args:
        coverage: Covered part of each pixel, (height, width).
    """
    grown: BoolArray = ndimage.binary_dilation(coverage > 0, NEIGHBOURS)
    return grown


def plan_erasure(
    coverage: FloatArray,
    occupied: BoolArray,
    *,
    row_id: str,
    category: str,
    photo_pixels: BoolArray | None = None,
    num_controls: int = 4,
    max_tries: int = 100,
) -> Erasure:
    """Decides what to erase, and where the controls go.

    A control is the erased pixels moved elsewhere: wholly inside the photo, disjoint from every annotated object and
    distractor. Places are drawn from a generator that is seeded by the row and the category. Two controls may overlap
    each other but are never the same.

    Args:
        coverage: The region's covered part of each pixel, (height, width).
        occupied: Pixels that objects and distractors touch, (height, width).
        row_id: Of the image.
        category: Of the region.
        photo_pixels: The photo, a rectangle, out of which the erased pixels do not grow and in which controls lie; the
            rest is padding. Without it, everything.
        num_controls: K, how many are wanted.
        max_tries: Places to try, over all controls.
    """
    photo = np.ones(coverage.shape, np.bool_) if photo_pixels is None else photo_pixels
    grown = pixels_to_erase(coverage)
    pixels = grown & photo
    if not (coverage > 0).any():
        return Erasure("empty", pixels, ())
    if pixels[photo].all():
        return Erasure("full", pixels, ())
    offsets = _find_offsets(
        grown,
        occupied,
        photo,
        generator=generator_for("control", row_id, category),
        num_controls=num_controls,
        max_tries=max_tries,
    )
    return Erasure("ok" if offsets else "no_control", pixels, offsets)


def plan_region(
    regions: ImageRegions,
    category: str,
    roles: Mapping[str, Role],
    *,
    row_id: str,
    avoid: Collection[Role],
    num_controls: int,
) -> Erasure:
    """Plans the erasure of one category of an image; arguments as of `plan_erasure`.

    Args:
        regions: Of the image.
        category: To be erased.
        roles: Of every category.
        row_id: Of the image.
        avoid: Roles that no control may touch.
        num_controls: K.
    """
    avoided = [name for name in regions.coverage if roles[name] in avoid]
    return plan_erasure(
        regions.coverage[category],
        regions.occupied_by({category, *avoided}),  # a control that overlaps the region would be compared with itself
        row_id=row_id,
        category=category,
        photo_pixels=regions.photo_pixels,
        num_controls=num_controls,
    )


def translate(values: npt.NDArray[Scalar], offset: Offset) -> npt.NDArray[Scalar]:
    """Moves an array (height, width) by (rows, columns); what leaves is lost, what comes in is zero."""
    moved = np.zeros_like(values)
    (rows_to, rows_from), (columns_to, columns_from) = (
        (slice(max(0, step), side + min(0, step)), slice(max(0, -step), side - max(0, step)))
        for step, side in zip(offset, values.shape, strict=True)
    )
    moved[rows_to, columns_to] = values[rows_from, columns_from]
    return moved


def erase(
    image: UInt8Array, pixels: BoolArray, fill: str = "mean", *, photo_pixels: BoolArray | None = None
) -> UInt8Array:
    """Replaces pixels by what the rest of the photo suggests; all others stay as they are, and so does padding.

    Args:
        image: RGB, (height, width, 3), 0 to 255, before preprocessing.
        pixels: To be erased, (height, width); not all of the photo.
        fill: `mean`: the mean colour of the rest. `blur`: each pixel the Gaussian mean of the pixels outside, sigma a
            tenth of the shorter side. `inpaint`: continued from the border (Telea 2004, by OpenCV).
        photo_pixels: The photo, a rectangle; the rest is padding, which says nothing of it. Without it, everything.

    Raises:
        ValueError: Every pixel of the photo is to be erased.
        KeyError: No such fill; `FILLS` has them.
    """
    window: tuple[slice, slice] = (slice(None), slice(None))
    if photo_pixels is not None:
        top, bottom, left, right = bounding_box(photo_pixels)
        window = (slice(top, bottom), slice(left, right))
    photo, inside = image[window], pixels[window]
    if inside.all():
        raise ValueError("nothing is left to fill from: every pixel of the photo is to be erased")
    erased = image.copy()
    erased[window] = np.where(inside[..., None], FILLS[fill](photo, inside), photo)
    return erased


def _fill_mean(image: UInt8Array, pixels: BoolArray) -> UInt8Array:
    return _to_uint8(np.broadcast_to(image[~pixels].mean(axis=0), image.shape))


def _fill_blur(image: UInt8Array, pixels: BoolArray) -> UInt8Array:
    sigma = BLUR_SIGMA_SHARE * min(image.shape[:2])
    outside = (~pixels).astype(np.float64)
    weights = ndimage.gaussian_filter(outside, sigma, mode="constant")
    sums = ndimage.gaussian_filter(image * outside[..., None], (sigma, sigma, 0), mode="constant")
    # Deep inside a large region no weight arrives from outside.
    is_near = weights > TINY_WEIGHT
    colours = sums / np.where(is_near, weights, 1)[..., None]
    return _to_uint8(np.where(is_near[..., None], colours, image[~pixels].mean(axis=0)))


def _fill_inpaint(image: UInt8Array, pixels: BoolArray) -> UInt8Array:
    import cv2

    filled: UInt8Array = cv2.inpaint(
        np.ascontiguousarray(image), pixels.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA
    )
    return filled


FILLS: Mapping[str, Callable[[UInt8Array, BoolArray], UInt8Array]] = {
    "mean": _fill_mean,
    "blur": _fill_blur,
    "inpaint": _fill_inpaint,
}


def _find_offsets(
    pixels: BoolArray,
    occupied: BoolArray,
    photo_pixels: BoolArray,
    *,
    generator: np.random.Generator,
    num_controls: int,
    max_tries: int,
) -> tuple[Offset, ...]:
    top, bottom, left, right = bounding_box(pixels)
    first_row, last_row, first_column, last_column = bounding_box(photo_pixels)
    num_rows = last_row - first_row - (bottom - top) + 1
    num_columns = last_column - first_column - (right - left) + 1
    if num_rows < 1 or num_columns < 1:
        return ()
    shape = pixels[top:bottom, left:right]
    offsets: dict[Offset, None] = {}
    for _ in range(max_tries):
        row = first_row + int(generator.integers(num_rows))
        column = first_column + int(generator.integers(num_columns))
        if not (occupied[row : row + bottom - top, column : column + right - left] & shape).any():
            offsets[row - top, column - left] = None
        if len(offsets) == num_controls:
            break
    return tuple(offsets)


def _to_uint8(colours: FloatArray) -> UInt8Array:
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8)
