"""What a region is like: the mean of its patch tokens."""

import numpy as np

from evalharness.audit import BoolArray
from evalharness.records import FloatArray


def pool_tokens(tokens: FloatArray, patches: BoolArray) -> FloatArray:
    """The mean of the L2-normalised tokens of some patches, of length 1.

    Args:
        tokens: Of every patch, (P, D).
        patches: At least one, (grid rows, grid columns) with P patches.

    Returns:
        (D,) float32; zeros where the tokens cancel out.
    """
    chosen = np.asarray(tokens, np.float64)[patches.ravel()]
    mean = _normalise(chosen).mean(axis=0, keepdims=True)
    return np.asarray(_normalise(mean)[0], np.float32)


def _normalise(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = vectors / np.where(lengths > 0, lengths, 1)
    return unit
