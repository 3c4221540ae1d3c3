"""Pasting a cut-out into a photo: a distractor whose mask is known and whose clean original is at hand."""

from dataclasses import dataclass

import numpy as np

from evalharness.audit.geometry import BoolArray, bounding_box, resample
from evalharness.audit.seeding import generator_for
from evalharness.records import UInt8Array

SMALLEST_ALPHA = 1 / 255


@dataclass(frozen=True, slots=True)
class Pasted:
    """A photo with a cut-out in it."""

    image: UInt8Array
    """RGB, (height, width, 3); equal to the original wherever `mask` is false."""
    mask: BoolArray
    """Pixels that the cut-out reaches, (height, width)."""
    top: int
    left: int
    size: tuple[int, int]
    """(height, width) of the cut-out in pixels, its transparent margin removed."""


def paste_cutout(
    image: UInt8Array,
    cutout: UInt8Array,
    *,
    row_id: str,
    name: str,
    scale_range: tuple[float, float] = (0.3, 0.5),
) -> Pasted:
    """Pastes a cut-out at a place and scale that belong to the row and the cut-out.

    Args:
        image: RGB, (height, width, 3), 0 to 255.
        cutout: RGBA, (any height, any width, 4), alpha not premultiplied.
        row_id: Of the image.
        name: Of the cut-out.
        scale_range: Smallest and largest length of the cut-out's longer side, its transparent margin removed, as part
            of the image's shorter side; above 0 and at most 1. Drawn evenly.

    Returns:
        The cut-out lies wholly inside the image.

    Raises:
        ValueError: The cut-out is transparent throughout, or the range is not within (0, 1].
    """
    smallest, largest = scale_range
    if not 0 < smallest <= largest <= 1:
        raise ValueError(f"scale_range must rise within (0, 1], got {scale_range}")
    generator = generator_for("stress", row_id, name)
    height, width = image.shape[:2]
    trimmed = _trim(cutout)
    scale = generator.uniform(smallest, largest) * min(height, width) / max(trimmed.shape[:2])
    size = (max(1, round(trimmed.shape[0] * scale)), max(1, round(trimmed.shape[1] * scale)))
    top = int(generator.integers(height - size[0] + 1))
    left = int(generator.integers(width - size[1] + 1))

    alpha = trimmed[..., 3:] / 255.0
    # Colours are averaged by what is visible of them: those under transparent pixels mean nothing.
    colour = resample(trimmed[..., :3] * alpha, size)
    alpha = resample(alpha, size)
    is_reached = alpha[..., 0] >= SMALLEST_ALPHA
    window = (slice(top, top + size[0]), slice(left, left + size[1]))
    blended = np.clip(np.rint(image[window] * (1 - alpha) + colour), 0, 255).astype(np.uint8)
    pasted, mask = image.copy(), np.zeros((height, width), np.bool_)
    pasted[window] = np.where(is_reached[..., None], blended, image[window])
    mask[window] = is_reached
    return Pasted(pasted, mask, top, left, size)


def _trim(cutout: UInt8Array) -> UInt8Array:
    visible = cutout[..., 3] > 0
    if not visible.any():
        raise ValueError("the cut-out is transparent throughout")
    top, bottom, left, right = bounding_box(visible)
    return cutout[top:bottom, left:right]
