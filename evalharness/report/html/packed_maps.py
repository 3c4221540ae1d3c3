"""Maps as bytes: one a patch."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps

from evalharness.records import FloatArray, UInt8Array
from evalharness.report.overlay import COLOUR_MAP

TOP, UNDEFINED = 254, 255
"""The byte of the highest density that a page knows, and of a map that is not defined."""
HEADROOM = 4
"""That density, in parts of `density_max`: a patch far above the colour scale spreads as far as in the figures."""
YARDSTICKS = ("random", "center")
MAX_PART = 0.35
"""Of the page's size that maps may take."""


def quantise(densities: FloatArray, density_max: float) -> UInt8Array:
    """Densities as bytes.

    Args:
        densities: (rows, grid rows, grid columns).
        density_max: Top of the colour scale.

    Returns:
        The same shape: 0 to `TOP`, proportional to the square root of the density, which gives the many low densities
        finer steps; `UNDEFINED` throughout a map that is not finite.
    """
    values = np.asarray(densities, np.float32)
    is_defined = np.isfinite(values).all(axis=(1, 2), keepdims=True)
    parts = np.clip(np.where(is_defined, values, 0) / (HEADROOM * density_max), 0, 1)
    scaled = np.rint(np.sqrt(parts) * TOP)
    levels: UInt8Array = np.where(is_defined, scaled, UNDEFINED).astype(np.uint8)
    return levels


def base64_of(values: UInt8Array) -> str:
    """The bytes in C order."""
    return b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")


def palette() -> UInt8Array:
    """(256, 3): the colours from density 0 to the top of the scale."""
    colours: UInt8Array = np.asarray(colormaps[COLOUR_MAP](np.arange(256), bytes=True))[:, :3]
    return colours


def map_chars(densities: FloatArray) -> float:
    """Characters that one image's map takes in the page."""
    return float(np.prod(densities.shape[1:])) * 4 / 3


def choose_maps(chars: Mapping[str, float], num_images: int, budget: float) -> list[str]:
    """The map ids that fit into their part of the page, in the order given: at least one, yardsticks go first.

    Args:
        chars: Characters that one image takes, by map id.
        num_images: That are shown.
        budget: Characters of the page.
    """
    by_worth: Sequence[str] = sorted(chars, key=lambda map_id: map_id in YARDSTICKS)
    kept: list[str] = []
    used = 0.0
    for map_id in by_worth:
        used += chars[map_id] * num_images
        if kept and used > MAX_PART * budget:
            break
        kept.append(map_id)
    return [map_id for map_id in chars if map_id in kept]
