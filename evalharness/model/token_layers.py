"""Keras layers around the blocks of a checkpoint: tokens before the patches, and what the head reads."""

from typing import Any

import tensorflow as tf

from evalharness.config import Pooling
from evalharness.model.readout import readout_of


class PrefixTokens(tf.keras.layers.Layer):  # type: ignore[misc]
    """Puts learned tokens (class, distillation, registers) before those of the patches.

    Args:
        num_tokens: How many; there may be none.
    """

    def __init__(self, num_tokens: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.num_tokens = num_tokens

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Makes the weight `cls`, (1, num_tokens, D)."""
        self.cls = self.add_weight(
            name="cls", shape=(1, self.num_tokens, input_shape[-1]), dtype="float32", initializer="zeros"
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """From (B, P, D) to (B, num_tokens + P, D)."""
        tokens = tf.cast(self.cls, inputs.dtype)
        shape = (tf.shape(inputs)[0], self.num_tokens, inputs.shape[-1])
        return tf.concat([tf.broadcast_to(tokens, shape), inputs], axis=1)


class ReadTokens(tf.keras.layers.Layer):  # type: ignore[misc]
    """What the head reads of the tokens.

    Args:
        pooling: As `readout_of` takes it.
        num_prefix_tokens: Tokens before those of the patches.
        num_patches: Patches.
    """

    def __init__(self, pooling: Pooling, *, num_prefix_tokens: int, num_patches: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.readout = readout_of(pooling, num_prefix_tokens=num_prefix_tokens, num_patches=num_patches)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """From (B, T, D) to (B, K * D)."""
        return self.readout.features(inputs)
