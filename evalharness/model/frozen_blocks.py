"""The backward pass of a transformer block whose gates are frozen, as LibraGrad prunes it.

Attention weights, the deviation that a norm divides by and the ratio of an activation to its input are held constant.
A block is then affine in its input, and its backward pass is that of its linear layers alone.

Mehri, Fakhari, Baghshah and Rohban, "LibraGrad: Balancing Gradient Flow for Universally Better Vision Transformer
Attributions", CVPR 2025.

Shapes: B images, H heads, T tokens, D hidden size, F width of the MLP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.records import BlockInside

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


class PulledBack(NamedTuple):
    """What a score is, in terms of the input x of a frozen part: sum(gradient * x) + constant."""

    gradient: tf.Tensor
    """Of the shape of the input."""
    constant: tf.Tensor
    """(B,): what the biases add."""


def replay_block(block: tf.keras.layers.Layer, inputs: tf.Tensor) -> tuple[tf.Tensor, BlockInside]:
    """A vit-keras transformer block from its sublayers, so that its inside can be read and differentiated.

    Args:
        block: The block.
        inputs: (B, T, D).

    Returns:
        The block's output (B, T, D), as the block itself gives it without dropout, and its inside.
    """
    normalized = block.layernorm1(inputs)
    attended, attention = block.att(normalized)
    middle = attended + inputs
    first, *rest = block.mlpblock.layers
    hidden = first(block.layernorm2(middle))
    values = hidden
    for layer in rest:
        values = layer(values)
    return middle + values, BlockInside(inputs, normalized, attention, middle, hidden)


def pull_back_block(block: tf.keras.layers.Layer, inside: BlockInside, at_output: tf.Tensor) -> PulledBack:
    """Derivative of a score with respect to a block's input, with the block's gates frozen.

    Args:
        block: The block.
        inside: Of the forward pass.
        at_output: Derivative with respect to the block's output, (B, T, D).
    """
    first, activation, *_ = block.mlpblock.layers
    second = next(layer for layer in block.mlpblock.layers[1:] if hasattr(layer, "kernel"))
    at_activated, constant = _pull_back_dense(second, at_output)
    factors, offset = frozen_factors(activation, inside.hidden)
    constant += offset * _total(at_activated)
    at_normalized, more = _pull_back_dense(first, at_activated * factors)
    at_middle, last = pull_back_norm(block.layernorm2, inside.middle, at_normalized)
    at_middle += at_output
    attended = _pull_back_attention(block.att, inside.attention, at_middle)
    at_input, norm_constant = pull_back_norm(block.layernorm1, inside.inputs, attended.gradient)
    return PulledBack(at_input + at_middle, constant + more + last + attended.constant + norm_constant)


def pull_back_norm(norm: tf.keras.layers.Layer, inputs: tf.Tensor, at_output: tf.Tensor) -> PulledBack:
    """The same through a layer norm over the last axis, its standard deviation held constant.

    Args:
        norm: The layer.
        inputs: (B, T, D).
        at_output: (B, T, D).
    """
    if not hasattr(norm, "gamma"):
        # Where the final norm comes after pooling, there is none here.
        return PulledBack(at_output, tf.zeros_like(_total(at_output)))
    scaled = at_output * tf.cast(norm.gamma, at_output.dtype)
    variance = tf.math.reduce_variance(tf.cast(inputs, _accurate(inputs.dtype)), axis=-1, keepdims=True)
    deviation = tf.cast(tf.sqrt(variance + norm.epsilon), at_output.dtype)
    gradient = (scaled - tf.reduce_mean(scaled, axis=-1, keepdims=True)) / deviation
    return PulledBack(gradient, _total(at_output * tf.cast(norm.beta, at_output.dtype)))


def frozen_factors(function: Callable[[tf.Tensor], tf.Tensor], values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes an elementwise function as f(x) = f(0) + x * factor: (f(x) - f(0)) / x, and its limit where x is tiny.

    Args:
        function: Works on each number by itself.
        values: x.

    Returns:
        The factors, of the shape and type of x, and f(0), a number.
    """
    exact = tf.cast(values, _accurate(values.dtype))
    # Nearer to 0 than this, rounding costs more than the curvature.
    least = tf.constant(np.sqrt(np.finfo(exact.dtype.as_numpy_dtype).eps), exact.dtype)
    exact = tf.where(tf.abs(exact) < least, least, exact)
    at_zero = tf.cast(function(tf.zeros((1, 1), exact.dtype)), exact.dtype)[0, 0]
    factors = (tf.cast(function(exact), exact.dtype) - at_zero) / exact
    return tf.cast(factors, values.dtype), tf.cast(at_zero, _accurate(values.dtype))


def _pull_back_attention(attention: tf.keras.layers.Layer, weights: tf.Tensor, at_output: tf.Tensor) -> PulledBack:
    """Through the values only: the weights (B, H, T, T) are constants, and with them queries and keys."""
    at_mixed, constant = _pull_back_dense(attention.combine_heads, at_output)
    at_heads = attention.separate_heads(at_mixed, tf.shape(at_mixed)[0])
    at_values = tf.transpose(tf.matmul(weights, at_heads, transpose_a=True), (0, 2, 1, 3))
    at_input, more = _pull_back_dense(attention.value_dense, tf.reshape(at_values, tf.shape(at_mixed)))
    return PulledBack(at_input, constant + more)


def _pull_back_dense(layer: tf.keras.layers.Layer, at_output: tf.Tensor) -> PulledBack:
    shape = tf.shape(at_output)
    rows = tf.reshape(at_output, (-1, shape[-1]))
    gradient = tf.matmul(rows, tf.cast(layer.kernel, at_output.dtype), transpose_b=True)
    return PulledBack(
        tf.reshape(gradient, (*tf.unstack(shape[:-1]), layer.kernel.shape[0])),
        _total(at_output * tf.cast(layer.bias, at_output.dtype)),
    )


def _total(values: tf.Tensor) -> tf.Tensor:
    """Sum over everything but images: (B,)."""
    return tf.reduce_sum(tf.cast(values, _accurate(values.dtype)), axis=(1, 2))


def _accurate(dtype: tf.DType) -> tf.DType:
    return tf.float64 if dtype == tf.float64 else tf.float32
