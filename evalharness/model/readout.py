"""What the head reads of the tokens: sums of them with fixed weights, laid side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness.config import Pooling
from evalharness.lazy import LazyModule
from evalharness.records import FloatArray

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


@dataclass(frozen=True)
class Readout:
    """The features f = [w_1 T, ..., w_K T] of tokens T: K sums over tokens."""

    pooling: Pooling
    weights: FloatArray
    """(K, T), rows sum to 1."""

    @property
    def row(self) -> FloatArray:
        """The weights of tokens with every sum counted alike, (T,)."""
        row: FloatArray = self.weights.mean(axis=0)
        return row

    def features(self, tokens: tf.Tensor) -> tf.Tensor:
        """What the head reads, (B, K * D).

        Args:
            tokens: (B, T, D), after the final norm.
        """
        parts = [_weighted(tokens, row) for row in self.weights]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=1)

    def pull_back(self, at_features: tf.Tensor) -> tf.Tensor:
        """Derivative with respect to the tokens, (B, T, D), from that with respect to the features, (B, K * D)."""
        parts = tf.stack(tf.split(at_features, len(self.weights), axis=1), axis=1)
        return tf.einsum("kt,bkd->btd", tf.constant(self.weights, at_features.dtype), parts)


def readout_of(pooling: Pooling, *, num_prefix_tokens: int, num_patches: int) -> Readout:
    """The readout of a pooling.

    Args:
        pooling: `cls` reads the first token, `mean` the mean of the patches, `cls_mean` both, and `cls_dist` the first
            two tokens.
        num_prefix_tokens: Tokens before those of the patches.
        num_patches: Patches.
    """
    one = np.eye(num_prefix_tokens + num_patches, dtype=np.float32)
    mean = one[num_prefix_tokens:].mean(axis=0)
    rows = {"cls": one[:1], "mean": mean[None], "cls_mean": np.stack([one[0], mean]), "cls_dist": one[:2]}
    return Readout(pooling, rows[pooling])


def _weighted(tokens: tf.Tensor, row: FloatArray) -> tf.Tensor:
    (places,) = np.nonzero(row)
    if len(places) == 1:
        return tokens[:, int(places[0])]
    # Only the mean of the patches, which come last, has several tokens, all alike.
    return tf.reduce_mean(tokens[:, int(places[0]) :], axis=1)
