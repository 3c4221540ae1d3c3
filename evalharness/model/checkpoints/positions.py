"""Fits position embeddings to another grid of patches, as PyTorch's bicubic interpolation does."""

import numpy as np

from evalharness.records import FloatArray

CUBIC = -0.75
CUBIC_ANTIALIASED = -0.5
"""The parameter of Keys' kernel that PyTorch uses without and with antialiasing."""


def resample_positions(positions: FloatArray, grid_size: tuple[int, int], *, is_antialiased: bool) -> FloatArray:
    """Bicubic interpolation, `torch.nn.functional.interpolate(..., mode="bicubic", align_corners=False)`.

    Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 1981.

    Args:
        positions: (rows, columns, D).
        grid_size: Patch rows and patch columns wanted.
        is_antialiased: As `antialias=True`: where the grid shrinks, the kernel grows with it.

    Returns:
        (*grid_size, D) float32; the same numbers for the same grid.
    """
    if positions.shape[:2] == grid_size:
        return positions
    rows, columns = (
        _weights(old, new, is_antialiased=is_antialiased)
        for old, new in zip(positions.shape[:2], grid_size, strict=True)
    )
    fitted = np.einsum("ry,yxd,cx->rcd", rows, positions.astype(np.float64), columns, optimize=True)
    return np.asarray(fitted, np.float32)


def _weights(old: int, new: int, *, is_antialiased: bool) -> FloatArray:
    """What each of `new` places takes of each of `old`, (new, old)."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    if is_antialiased:
        stretch = max(scale, 1.0)
        weights = _keys((np.arange(old)[None] - centres[:, None]) / stretch, CUBIC_ANTIALIASED)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))
    weights = np.zeros((new, old))
    for offset in range(-1, 3):
        neighbours = np.floor(centres).astype(int) + offset
        # What lies beyond the edge repeats it.
        np.add.at(weights, (np.arange(new), neighbours.clip(0, old - 1)), _keys(neighbours - centres, CUBIC))
    return weights


def _keys(distance: FloatArray, a: float) -> FloatArray:
    x = np.abs(distance)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
