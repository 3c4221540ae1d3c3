"""Maps as bytes: one a patch, on the colour scale of the run."""

from base64 import b64encode
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps

from evalharness.records import FloatArray, UInt8Array
from evalharness.report.overlay import COLOUR_MAP

TOP, UNDEFINED = 254, 255
"""The byte of `density_max` and above, and of a map that is not defined."""
YARDSTICKS = ("random", "center")
MAX_PART = 0.35
"""Of the page's size that maps may take."""


def quantise(densities: FloatArray, density_max: float) -> UInt8Array:
    """Densities as bytes.

    Args:
        densities: (rows, grid rows, grid columns).
        density_max: Top of the scale.

    Returns:
        The same shape: 0 to `TOP` in equal steps from 0 to `density_max`; `UNDEFINED` throughout a map that is not
        finite.
    """
    values = np.asarray(densities, np.float32)
    is_defined = np.isfinite(values).all(axis=(1, 2), keepdims=True)
    scaled = np.rint(np.clip(np.where(is_defined, values, 0) / density_max, 0, 1) * TOP)
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
