"""How far attention moved between two maps of the same image."""

import numpy as np

from evalharness.records import FloatArray


def total_variation(maps: FloatArray, others: FloatArray) -> FloatArray:
    """The part of each map that lies elsewhere in the other: half the summed difference of their shares.

    Args:
        maps: Non-negative, on any scale, (images, grid rows, grid columns).
        others: Of the same images, same shape.

    Returns:
        (images,), 0 (the same density) to 1 (disjoint); NaN where one of the maps is not finite or zero everywhere.
    """
    shares, other_shares = (_shares(values) for values in (maps, others))
    distances: FloatArray = np.abs(shares - other_shares).sum(axis=1) / 2
    return distances


def _shares(maps: FloatArray) -> FloatArray:
    values = np.asarray(maps, np.float64).reshape(len(maps), int(np.prod(maps.shape[1:])))
    totals = np.where(np.isfinite(values).all(axis=1), values.sum(axis=1), 0)[:, None]
    shares: FloatArray = np.divide(values, totals, out=np.full(values.shape, np.nan), where=totals > 0)
    return shares
