"""The head with its gates frozen: affine in the features, layer by layer, as LibraGrad prunes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from evalharness.errors import ModelError
from evalharness.lazy import LazyModule
from evalharness.model.frozen_blocks import PulledBack, frozen_factors

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")

AFFINE = (
    "BatchNormalization", "Normalization", "Rescaling", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "Flatten", "Reshape", "Permute", "Identity", "Add", "Subtract", "Average", "Concatenate",
)  # fmt: skip
"""Layers that are affine as they are, when nothing is trained."""
ELEMENTWISE = ("ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU")

Function = Callable[["tf.Tensor"], "tf.Tensor"]
Frozen = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]
"""From what sets the gates, and what runs through them, to what the layer makes of the second."""


class FrozenHead:
    """The layers between the features and the logits, each affine once the features have set its gates.

    Args:
        parts: Models that follow one another; none is changed.
        logits: The last step, itself affine.

    Raises:
        ModelError: A layer is not affine, and its gate cannot be told.
    """

    def __init__(self, parts: Sequence[tf.keras.Model], logits: Function) -> None:
        self._parts = [_frozen_layer(part) for part in parts]
        self._logits = logits

    def run(self, features: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Logits (B, C) of `values` (B, D) under the gates that `features` (B, D) set."""
        both = tf.concat([features, values], axis=0)
        for part in self._parts:
            both = part(both, training=False)
        return self._logits(tf.split(both, 2)[1])

    def pull_back(self, features: tf.Tensor, weights: tf.Tensor) -> PulledBack:
        """Derivative of the score weights . logits with respect to the features.

        Args:
            features: (B, D).
            weights: (B, C).
        """
        # An affine score is its constant at 0, and has the same derivative there as anywhere.
        origin = tf.zeros_like(features)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(origin)
            logits = self.run(features, origin)
            constant = tf.reduce_sum(tf.cast(weights, logits.dtype) * logits, axis=1)
        return PulledBack(tape.gradient(constant, origin), constant)


def _frozen_layer(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
    """The layer, or the model of layers, on a batch whose first half sets the gates of both halves."""
    if hasattr(layer, "layers"):
        # AutoGraph would take seconds to find no control flow to convert.
        clone_model = tf.autograph.experimental.do_not_convert(tf.keras.models.clone_model)
        return clone_model(layer, clone_function=_frozen_layer)
    frozen = None if type(layer).__name__ in AFFINE else _frozen(layer)

    class FrozenLayer(tf.keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name=layer.name, autocast=False)
            self.layer = layer

        def call(self, both: tf.Tensor) -> tf.Tensor:
            if frozen is None:
                return layer(both)
            reference, values = tf.split(tf.cast(both, layer.compute_dtype), 2)
            return tf.concat([layer(reference), frozen(reference, values)], axis=0)

    return FrozenLayer()


def _frozen(layer: tf.keras.layers.Layer) -> Frozen:
    kind = type(layer).__name__
    if kind in ELEMENTWISE:
        return _gated(layer)
    if kind == "Activation" and _is_elementwise(layer.activation):
        return _gated(layer.activation)
    if kind == "Dense" and _is_elementwise(layer.activation):
        gated = _gated(layer.activation)
        return lambda reference, values: gated(_affine(layer, reference), _affine(layer, values))
    if kind == "LayerNormalization" and _is_over_last_axis(layer):
        return lambda reference, values: _norm(layer, reference, values)
    if kind == "UnitNormalization" and _is_over_last_axis(layer):
        return lambda reference, values: values / tf.norm(reference, axis=-1, keepdims=True)
    raise ModelError(
        "libra has no rule for a layer of the head",
        expected="an affine or elementwise layer, or a norm over the last axis",
        got=f"{kind} {layer.name!r}" + (f" with {_name(layer.activation)}" if hasattr(layer, "activation") else ""),
        where="attention.methods",
        fix="Leave libra out of attention.methods, or change the head",
    )


def _gated(function: Function) -> Frozen:
    def frozen(reference: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        factors, at_zero = frozen_factors(function, reference)
        return values * factors + tf.cast(at_zero, values.dtype)

    return frozen


def _affine(layer: tf.keras.layers.Layer, values: tf.Tensor) -> tf.Tensor:
    result = tf.tensordot(values, tf.cast(layer.kernel, values.dtype), 1)
    return result + tf.cast(layer.bias, values.dtype) if layer.use_bias else result


def _norm(layer: tf.keras.layers.Layer, reference: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    variance = tf.math.reduce_variance(reference, axis=-1, keepdims=True)
    result = (values - tf.reduce_mean(values, axis=-1, keepdims=True)) / tf.sqrt(variance + layer.epsilon)
    if layer.scale:
        result *= tf.cast(layer.gamma, values.dtype)
    return result + tf.cast(layer.beta, values.dtype) if layer.center else result


def _is_over_last_axis(layer: tf.keras.layers.Layer) -> bool:
    # Keras numbers the axes of some norms from the front once they are built.
    return list(layer.axis) in ([-1], [len(layer.input_shape) - 1])


def _is_elementwise(function: Function) -> bool:
    """Whether every number is treated by itself, tried on a few that range over both signs."""
    numbers = tf.linspace([-3.0], [3.0], 13, axis=1)
    alone = tf.concat([function(number) for number in tf.split(numbers, 13, axis=1)], axis=1)
    return bool(np.allclose(function(numbers), alone, rtol=1e-5, atol=1e-6))


def _name(function: object) -> str:
    return str(getattr(function, "__name__", function))
