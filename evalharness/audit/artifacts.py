"""Artifact or attention: outlier tokens, which attract attention for reasons of their own (Darcet et al. 2024)."""

import numpy as np
import numpy.typing as npt

from evalharness.audit.geometry import BoolArray
from evalharness.audit.noise import HOT_DENSITY
from evalharness.records import FloatArray

NUM_DEVIATIONS = 5.0
NORMAL_CONSISTENCY = 1.4826
"""Median absolute deviation times this is the standard deviation of a normal distribution."""
MEDIAN_FACTOR = 2.0


def find_outlier_tokens(norms: FloatArray) -> BoolArray:
    """Finds patches whose token is far longer than the image's others.

    Above median + 5 x 1.4826 x MAD, and above twice the median, both of the patches of the same image. Either alone
    marks patches in images that have no such tokens.

    Args:
        norms: Euclidean norm of each patch token at the last block's output, before the final norm,
            (images, grid rows, grid columns).

    Returns:
        Same shape; nothing in images whose norms are not finite.
    """
    flat = np.asarray(norms, np.float64).reshape(len(norms), int(np.prod(norms.shape[1:])))
    medians = np.median(flat, axis=1, keepdims=True)
    deviations = np.median(np.abs(flat - medians), axis=1, keepdims=True)
    far = flat > medians + NUM_DEVIATIONS * NORMAL_CONSISTENCY * deviations
    outliers = far & (flat > MEDIAN_FACTOR * medians) & np.isfinite(flat).all(axis=1, keepdims=True)
    marked: BoolArray = outliers.reshape(norms.shape)
    return marked


def mark_hot_patches(density: FloatArray, outliers: BoolArray) -> npt.NDArray[np.str_]:
    """Tells for each patch whether it is hot, and if so why.

    Args:
        density: Maps as densities, (images, grid rows, grid columns).
        outliers: Of `find_outlier_tokens`, same shape.

    Returns:
        `artifact` or `content` for a hot patch, the empty text for any other; same shape.
    """
    kinds = np.where(outliers, "artifact", "content")
    return np.where(density > HOT_DENSITY, kinds, "")


def mask_outliers(maps: FloatArray, outliers: BoolArray) -> FloatArray:
    """Takes outlier patches out of maps and scales the rest to a density: 1 is an average patch of those left.

    Args:
        maps: Non-negative, on any scale, (images, grid rows, grid columns).
        outliers: Of `find_outlier_tokens`, same shape.

    Returns:
        Same shape; NaN at outliers, and throughout a map of which nothing is left.
    """
    rest = np.where(outliers, np.nan, np.asarray(maps, np.float64))
    totals = np.where(outliers, 0, rest).sum(axis=(1, 2), keepdims=True)
    is_usable = np.isfinite(totals) & (totals > 0)
    num_left = (~outliers).sum(axis=(1, 2), keepdims=True)
    return np.where(is_usable, rest * (num_left / np.where(is_usable, totals, 1)), np.nan)
