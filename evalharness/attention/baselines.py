"""Maps that know nothing of the model: what any real method must beat."""

import hashlib
from collections.abc import Sequence

import numpy as np

from evalharness.records import FloatArray

CENTER_WIDTH = 0.25


def random_maps(row_ids: Sequence[str], grid_size: tuple[int, int]) -> FloatArray:
    """Uniform noise, seeded by the row, so that an image has the same noise in every run.

    Args:
        row_ids: B keys.
        grid_size: Patch rows and columns.

    Returns:
        (B, P), 0 to 1.
    """
    num_patches = grid_size[0] * grid_size[1]
    return np.stack([np.random.default_rng(seed_of(row_id)).random(num_patches) for row_id in row_ids])


def center_maps(row_ids: Sequence[str], grid_size: tuple[int, int]) -> FloatArray:
    """A Gaussian at the centre, its standard deviation a quarter of each side: photographers centre their subject.

    Args:
        row_ids: B keys; only their number counts.
        grid_size: Patch rows and columns.

    Returns:
        (B, P), at most 1.
    """
    rows, columns = (np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * CENTER_WIDTH**2)) for n in grid_size)
    return np.tile(np.outer(rows, columns).reshape(1, -1), (len(row_ids), 1))


def seed_of(row_id: str) -> int:
    """A seed that belongs to the row, on every machine."""
    return int.from_bytes(hashlib.sha256(row_id.encode("utf-8", "surrogatepass")).digest()[:8])
