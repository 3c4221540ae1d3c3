"""Tokens of one block, for what regions are like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evalharness.errors import ConfigError
from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, UInt8Array, VisionTransformer

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


class BlockTokens:
    """The tokens at the output of one block, compiled once for all batch sizes.

    Args:
        model: The loaded model.
        block: From 1.
        is_compiled: False for a handful of images.

    Raises:
        ConfigError: The model has no such block.
    """

    def __init__(self, model: VisionTransformer, block: int, *, is_compiled: bool = True) -> None:
        if not 1 <= block <= model.num_layers:
            raise ConfigError(
                "no such block", expected=f"1 to {model.num_layers}", got=block, where="concepts.block",
            )  # fmt: skip
        self._model, self._block = model, block
        images = tf.TensorSpec((None, *model.image_size, 3), tf.uint8)
        self._compiled = self._trace
        if is_compiled:
            self._compiled = tf.function(self._trace, input_signature=[images], autograph=model.needs_autograph)

    def __call__(self, images: UInt8Array) -> tuple[FloatArray, FloatArray]:
        """Tokens of images (B, height, width, 3).

        Returns:
            The first token, which stands for the image, (B, D); and those of the patches along the rows of the grid,
            (B, P, D). float32.
        """
        first, patches = self._compiled(tf.constant(images))
        return np.asarray(first.numpy(), np.float32), np.asarray(patches.numpy(), np.float32)

    def _trace(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        trace = self._model.trace(tf.cast(images, tf.float32))
        tokens = tf.cast(trace.block_outputs[self._block - 1], tf.float32)
        return tokens[:, 0], tokens[:, trace.num_prefix_tokens :]
