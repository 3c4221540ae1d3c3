"""The compiled forward pass: one call a batch gives logits, features and every map."""

from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from evalharness.attention import METHODS, check_layers, target_weights, to_density
from evalharness.records import FloatArray, IntArray, MapSpec, Trace, UInt8Array, VisionTransformer


@dataclass(frozen=True, slots=True)
class BatchOutput:
    """What the model said of one batch."""

    logits: FloatArray
    """(B, C) float32."""
    features: FloatArray
    """(B, D): the class token after the final norm."""
    densities: dict[str, FloatArray]
    """By map id, (B, grid rows, grid columns)."""
    map_sums: dict[str, FloatArray]
    """By map id, (B,): the raw sums."""


class ForwardPass:
    """One model and the maps wanted of it, compiled once for all batch sizes.

    Args:
        model: The loaded model.
        specs: The maps to compute.

    Raises:
        ConfigError: A map starts at a block that the model does not have.
    """

    def __init__(self, model: VisionTransformer, specs: Sequence[MapSpec]) -> None:
        check_layers(specs, model.num_layers)
        self.model = model
        self._specs = tuple(specs)
        self._gradient_targets = tuple(
            dict.fromkeys(spec.target for spec in specs if METHODS[spec.method].is_class_specific)
        )
        self._compiled = tf.function(
            self._trace_and_reduce,
            input_signature=[
                tf.TensorSpec((None, *model.image_size, 3), tf.uint8),
                tf.TensorSpec((None,), tf.int32),
            ],
        )

    def __call__(self, images: UInt8Array, labels: IntArray) -> BatchOutput:
        """Runs one batch.

        Args:
            images: RGB, (B, height, width, 3), 0 to 255.
            labels: (B,) indices of the true classes; they only choose the class that a map explains.
        """
        logits, features, relevance = self._compiled(tf.constant(images), tf.constant(labels, tf.int32))
        densities, sums = {}, {}
        for map_id, values in relevance.items():
            density, sums[map_id] = to_density(values.numpy())
            densities[map_id] = density.reshape(-1, *self.model.grid_size)
        return BatchOutput(logits.numpy(), features.numpy(), densities, sums)

    def _trace_and_reduce(
        self, images: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
        inputs = tf.cast(images, tf.float32)
        if not self._gradient_targets:
            trace = self.model.trace(inputs)
            gradients: dict[str, Sequence[tf.Tensor]] = {}
        else:
            trace, gradients = self._trace_with_gradients(inputs, labels)
        relevance = {}
        for spec in self._specs:
            method = METHODS[spec.method]
            relevance[spec.map_id] = method.relevance(trace, gradients.get(spec.target, ()), **spec.options)
        return tf.cast(trace.logits, tf.float32), tf.cast(trace.features, tf.float32), relevance

    def _trace_with_gradients(
        self, inputs: tf.Tensor, labels: tf.Tensor
    ) -> tuple[Trace, dict[str, Sequence[tf.Tensor]]]:
        # Variables are not watched (only activations are differentiated), so the input must be, or a frozen model
        # would leave the tape with nothing to follow.
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            trace = self.model.trace(inputs)
            logits = tf.cast(trace.logits, tf.float32)
            scores = {
                target: tf.reduce_sum(target_weights(target, logits, labels, self.model.classes) * logits)
                for target in self._gradient_targets
            }
        return trace, {target: tape.gradient(score, trace.attentions) for target, score in scores.items()}
