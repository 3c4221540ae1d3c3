"""Attention density as pixels: one colour scale for every image of a run, so that equal colours mean equal density."""

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from evalharness.records import WHOLE, Extent, FloatArray, UInt8Array

COLOUR_MAP = "inferno"
ALPHA = 0.8
LIFT, GAIN = 0.3, 0.8
"""The grey photo is brightened to LIFT + GAIN x grey, at most 1: a multiplied colour is seen on black fur as well."""
MAX_ASPECT = 16
"""Longer side / shorter side of what is drawn."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def upsample(density: FloatArray, size: tuple[int, int], extent: Extent = WHOLE) -> FloatArray:
    """Patch densities at pixel resolution: bilinear between patch centres, constant outside the outer ones.

    Args:
        density: (rows, columns) of the patch grid.
        size: (height, width) in pixels of the image to cover.
        extent: The part of the model's input that the image spans.

    Returns:
        (height, width), float32; all NaN if any patch is not finite, since such a map has no meaning.
    """
    height, width = size
    rows, columns = density.shape
    if not np.isfinite(density).all():
        return np.full(size, np.nan, dtype=np.float32)
    vertical = _weights(rows, height, extent.top, extent.bottom)
    return vertical @ density.astype(np.float32) @ _weights(columns, width, extent.left, extent.right).T


@cache
def _weights(num_patches: int, num_pixels: int, start: float, stop: float) -> FloatArray:
    """(num_pixels, num_patches): how much each patch along one side counts for each pixel."""
    centres = _centres(num_pixels, start, stop) * num_patches - 0.5
    centres = np.clip(centres, 0, num_patches - 1)
    left = np.minimum(centres.astype(int), max(0, num_patches - 2))
    right = np.minimum(left + 1, num_patches - 1)
    weights = np.zeros((num_pixels, num_patches), dtype=np.float32)
    pixels = np.arange(num_pixels)
    weights[pixels, left] += 1 - (centres - left)
    weights[pixels, right] += centres - left
    weights.setflags(write=False)
    return weights


def _centres(num_pixels: int, start: float, stop: float) -> FloatArray:
    """Centres of the pixels along one side, as fractions of the model's input."""
    return start + (np.arange(num_pixels) + 0.5) * (stop - start) / num_pixels


def _is_seen(size: tuple[int, int], extent: Extent) -> FloatArray:
    """(height, width, 1): 1 where the model saw the pixel, 0 where it was cropped away."""
    rows = _centres(size[0], extent.top, extent.bottom)
    columns = _centres(size[1], extent.left, extent.right)
    is_seen = ((rows >= 0) & (rows <= 1))[:, None] & ((columns >= 0) & (columns <= 1))[None, :]
    return is_seen[..., None].astype(np.float32)


def overlay(
    photo: UInt8Array, density: FloatArray, *, density_max: float, alpha: float = ALPHA, extent: Extent = WHOLE
) -> UInt8Array:
    """The photo in grey, multiplied by the colours of its attention density.

    The photo loses its own colours, so that a hue always means density, never petals; and what is multiplied is seen
    under the hottest part too, which colours laid over it would hide.

    Args:
        photo: RGB (height, width, 3).
        density: (rows, columns) over the patch grid; 1 is an average patch.
        density_max: Density at the top of the colour scale; more looks the same.
        alpha: Weight of the colours, 0 (the grey photo) to 1 (the colours alone).
        extent: The part of the model's input that the photo spans; what was cropped away stays grey.

    Returns:
        RGB (height, width, 3); the hatched photo, marked "no map", where the density is not finite.
    """
    pixels = upsample(density, _size(photo), extent)
    if np.isnan(pixels).any():
        return mark_no_map(photo)
    weight: FloatArray = alpha * _is_seen(_size(photo), extent)
    grey = np.minimum(255 * LIFT + GAIN * (photo.astype(np.float32) @ _LUMA)[..., None], 255)
    return _rounded(
        grey * (1 - weight + weight * _palette()[_rounded(255 * scale_position(pixels, density_max))] / 255)
    )


def darken(photo: UInt8Array, density: FloatArray, *, density_max: float, extent: Extent = WHOLE) -> UInt8Array:
    """The photo multiplied by the root of its attention: black at density 0, unchanged from `density_max` on.

    Args:
        photo: RGB (height, width, 3).
        density: (rows, columns) over the patch grid; 1 is an average patch.
        density_max: Density at which the photo keeps its full brightness.
        extent: The part of the model's input that the photo spans; what was cropped away is black.

    Returns:
        RGB (height, width, 3); the hatched photo, marked "no map", where the density is not finite.
    """
    pixels = upsample(density, _size(photo), extent)
    if np.isnan(pixels).any():
        return mark_no_map(photo)
    brightness = scale_position(pixels, density_max)[..., None] * _is_seen(_size(photo), extent)
    return _rounded(photo.astype(np.float32) * brightness)


def scale_position(density: FloatArray, density_max: float) -> FloatArray:
    """Where densities are on the colour scale, 0 to 1: their square root, which keeps average and hot patches apart."""
    return np.sqrt(np.clip(density / density_max, 0, 1))


STYLES: Mapping[str, Callable[..., UInt8Array]] = {"overlay": overlay, "darkened": darken}
"""How a map is drawn on its photo: (photo, density, *, density_max, extent) -> RGB."""


def mark_no_map(photo: UInt8Array) -> UInt8Array:
    """The photo with a hatch and the words "no map" over it, so that it is not taken for a map without hot spots."""
    height, width = _size(photo)
    rows, columns = np.indices((height, width))
    period = max(8, min(height, width) // 12)
    hatched = photo.copy()
    hatched[(rows + columns) % period < max(1, period // 8)] = 255
    image = Image.fromarray(hatched)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(8, min(height, width) // 10))
    centre = (width / 2, height / 2)
    left, top, right, bottom = draw.textbbox(centre, "no map", font=font, anchor="mm")
    margin = (bottom - top) // 2
    draw.rectangle((left - margin, top - margin, right + margin, bottom + margin), fill="white", outline="black")
    draw.text(centre, "no map", font=font, anchor="mm", fill="black")
    return np.asarray(image)


def drawn_aspect(aspect: float) -> float:
    """Width / height as drawn: a line scan is drawn thicker than it is, since a strip of one pixel shows nothing."""
    return min(max(aspect, 1 / MAX_ASPECT), float(MAX_ASPECT))


def fit(photo: UInt8Array, side: int) -> UInt8Array:
    """The photo scaled so that its longer side has this many pixels, the other in proportion (see `drawn_aspect`)."""
    height, width = _size(photo)
    scale, shortest = side / max(height, width), max(1, round(side / MAX_ASPECT))
    size = (max(shortest, round(width * scale)), max(shortest, round(height * scale)))
    if size == (width, height):
        return photo
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def side_by_side(left: UInt8Array, right: UInt8Array, *, gap: int = 8) -> UInt8Array:
    """Two images of one height with a white gap of so many pixels between them."""
    return np.concatenate([left, np.full((left.shape[0], gap, 3), 255, dtype=np.uint8), right], axis=1)


@cache
def _palette() -> FloatArray:
    """(256, 3): the colour map, 0 to 255."""
    colours = np.asarray(colormaps[COLOUR_MAP](np.arange(256)), dtype=np.float32)[:, :3] * 255
    colours.setflags(write=False)
    return colours


def _rounded(values: FloatArray) -> UInt8Array:
    levels: UInt8Array = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def _size(photo: UInt8Array) -> tuple[int, int]:
    return photo.shape[0], photo.shape[1]
