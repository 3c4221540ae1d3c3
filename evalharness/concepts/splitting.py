"""Two halves of the photos: concepts are made on the one, and everything that is claimed is measured on the other."""

from collections.abc import Sequence

import numpy as np

from evalharness.audit import BoolArray

FIT, CLAIM = "fit", "claim"
"""How stored tables call the halves."""


def split_groups(groups: Sequence[str], seed: int) -> BoolArray:
    """Draws whole groups until half of the photos are drawn: those that concepts are made on.

    Args:
        groups: What stays together, per photo; their order has no influence.
        seed: Of the draw.

    Returns:
        (photos,): True in the fitting half, False in the claiming half.
    """
    names, counts = np.unique(np.asarray(groups, np.str_), return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(counts[order]) - counts[order]
    drawn = set(names[order[before < len(groups) / 2]].tolist())
    return np.array([group in drawn for group in groups], np.bool_)
