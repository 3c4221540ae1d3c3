"""What a region is like: the mean of its patch tokens."""

from collections.abc import Sequence

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
    mean = normalise(chosen).mean(axis=0, keepdims=True)
    return np.asarray(normalise(mean)[0], np.float32)


def join_views(views: Sequence[FloatArray]) -> FloatArray:
    """One feature of several views of a region, which count alike.

    Args:
        views: Of n regions each, (n, D); lengths do not count.

    Returns:
        (n, views * D) float32, of length 1.
    """
    joined = np.concatenate([normalise(np.asarray(view, np.float64)) for view in views], axis=1)
    return np.asarray(joined / np.sqrt(len(views)), np.float32)


def normalise(vectors: FloatArray) -> FloatArray:
    """Vectors (..., D) with length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = vectors / np.where(lengths > 0, lengths, 1)
    return unit
