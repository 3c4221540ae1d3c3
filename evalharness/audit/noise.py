"""How scattered a map is: measures that need no annotations.

All take maps on any scale, (images, grid rows, grid columns), and give (images,), NaN for a map that is not finite,
negative somewhere, or zero everywhere. Patches of padding count like all others: attention there is attention off the
photo.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from evalharness.lazy import LazyModule
from evalharness.records import FloatArray

stats = LazyModule("scipy.stats")

HOT_DENSITY = 3.0
"""A patch is hot above this many times the average patch."""
EIGHT_NEIGHBOURS = np.ones((3, 3), np.bool_)


def normalised_entropy(maps: FloatArray) -> FloatArray:
    """Shannon entropy of the map as a distribution over n patches, divided by log n: 0 for one patch, 1 for even."""
    shares = _to_shares(maps)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropies: FloatArray = -(shares * logs).sum(axis=1) / np.log(shares.shape[1])
    return np.clip(entropies, 0, 1)


def gini(maps: FloatArray) -> FloatArray:
    """Gini coefficient of the n patches: 0 for an even map, (n - 1) / n where all of it is on one patch."""
    shares = np.sort(_to_shares(maps), axis=1)
    num_patches = shares.shape[1]
    weights = 2 * np.arange(1, num_patches + 1) - num_patches - 1
    coefficients: FloatArray = (shares * weights).sum(axis=1) / num_patches
    return coefficients


def num_hot_blobs(maps: FloatArray) -> FloatArray:
    """Number of separate hot areas: patches above `HOT_DENSITY`, joined with their eight neighbours."""
    shares = _to_shares(maps)
    hot = (shares * shares.shape[1] > HOT_DENSITY).reshape(maps.shape)
    counts = np.array([ndimage.label(image, EIGHT_NEIGHBOURS)[1] for image in hot], np.float64)
    return np.where(np.isnan(shares[:, 0]), np.nan, counts)


def border_share(maps: FloatArray) -> FloatArray:
    """Part of the map on the outermost ring of patches; an even map has the ring's part of all patches."""
    ring = np.ones(maps.shape[1:], np.bool_)
    ring[1:-1, 1:-1] = False
    shares: FloatArray = _to_shares(maps)[:, ring.ravel()].sum(axis=1)
    return shares


def stability(maps: FloatArray, varied: FloatArray) -> FloatArray:
    """Spearman's rank correlation of each map with that of a varied image, flipped back where it was flipped.

    NaN too where one of the two maps is even, which has no order.
    """
    shares, others = _to_shares(maps), _to_shares(varied)
    ranks, other_ranks = (stats.rankdata(values, axis=1) for values in (shares, others))
    ranks, other_ranks = (values - values.mean(axis=1, keepdims=True) for values in (ranks, other_ranks))
    scale = np.sqrt((ranks**2).sum(axis=1) * (other_ranks**2).sum(axis=1))
    is_defined = ~np.isnan(shares[:, 0]) & ~np.isnan(others[:, 0]) & (scale > 0)
    correlations: FloatArray = np.divide(
        (ranks * other_ranks).sum(axis=1), scale, out=np.full(len(maps), np.nan), where=is_defined
    )
    return correlations


NOISE_MEASURES: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "entropy": normalised_entropy,
    "gini": gini,
    "num_hot_blobs": num_hot_blobs,
    "border_share": border_share,
}
RANKED_BY = ("entropy", "num_hot_blobs", "border_share")
"""What makes a map noisy, the more the noisier. Gini orders maps much as entropy does, and would count it twice."""


def _to_shares(maps: FloatArray) -> npt.NDArray[np.float64]:
    """Each map as a distribution (images, patches); NaN throughout where it is none."""
    values = np.asarray(maps, np.float64).reshape(len(maps), int(np.prod(maps.shape[1:])))
    is_usable = np.isfinite(values).all(axis=1) & (values >= 0).all(axis=1)
    totals = np.where(is_usable, np.where(is_usable[:, None], values, 0).sum(axis=1), 0)
    shares = np.full(values.shape, np.nan)
    np.divide(values, totals[:, None], out=shares, where=(totals > 0)[:, None])
    return shares
