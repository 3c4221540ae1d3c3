"""The compiled forward pass: one call a batch gives logits, features and every map."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evalharness.attention import METHODS, Gradients, check_options, completeness_error, target_weights, to_density
from evalharness.lazy import LazyModule
from evalharness.records import (
    BatchOutput,
    FloatArray,
    FrozenGradients,
    IntArray,
    MapSpec,
    Trace,
    UInt8Array,
    VisionTransformer,
)

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")

MAX_COPIES = 32


GRADIENT_BYTES = 1e9
"""Of activations that wait for a backward pass: more images than fit into it are run a few at a time."""


class Traced(NamedTuple):
    """What leaves the graph for one batch: tensors inside it, arrays outside."""

    logits: Any
    features: Any
    patch_norms: Any
    relevance: Mapping[str, Any]
    completeness_errors: Mapping[str, Any]
    weights: Mapping[str, Any]
    """By target, (B, C): the target score is their product with the logits."""


class ForwardPass:
    """One model and the maps wanted of it, compiled once for all batch sizes.

    All maps of one target share one forward and one backward pass; `libra` has a backward pass of its own, through
    frozen gates, `legrad` adds a shallow one per block, and `occlusion` a forward pass per group of patches.

    Args:
        model: The loaded model.
        specs: The maps to compute.
        is_compiled: False for a handful of images: compiling then takes longer than it saves.

    Raises:
        ConfigError: An option of a map does not fit the model.
        ModelError: `libra` has no rule for a layer of the model.
    """

    def __init__(self, model: VisionTransformer, specs: Sequence[MapSpec], *, is_compiled: bool = True) -> None:
        check_options(
            specs, num_layers=model.num_layers, num_heads=model.num_heads, grid_size=model.grid_size,
            pooling=model.pooling,
        )  # fmt: skip
        self.model = model
        self._specs = tuple(specs)
        self._pull_back = model.freeze() if self._targets("frozen_gradients") else None
        self._compiled, self._compiled_logits = self._trace_and_reduce, self._logits_alone
        if not is_compiled:
            return
        images = tf.TensorSpec((None, *model.image_size, 3), tf.uint8)
        labels, autograph = tf.TensorSpec((None,), tf.int32), model.needs_autograph
        self._compiled = tf.function(self._trace_and_reduce, input_signature=[images, labels], autograph=autograph)
        self._compiled_logits = tf.function(self._logits_alone, input_signature=[images], autograph=autograph)

    def __call__(self, images: UInt8Array, labels: IntArray, row_ids: Sequence[str]) -> BatchOutput:
        """Runs one batch.

        Args:
            images: RGB, (B, height, width, 3), 0 to 255.
            labels: (B,) indices of the true classes; they only choose the class that a map explains.
            row_ids: B keys, which seed the noise of the baseline.
        """
        traced = self._run(images, labels)
        grid_size = self.model.grid_size
        densities, sums, signed = {}, {}, {}
        for spec in self._specs:
            method = METHODS[spec.method]
            if method.needs == "nothing":
                relevance = method.relevance(row_ids, grid_size)
            elif method.needs == "perturbation":
                relevance = self._perturb(spec, images, traced.weights[spec.target])
            else:
                relevance = traced.relevance[spec.map_id]
            if method.is_signed:
                signed[spec.map_id] = relevance.reshape(-1, *grid_size)
                relevance = np.maximum(relevance, 0)
            density, sums[spec.map_id] = to_density(relevance)
            densities[spec.map_id] = density.reshape(-1, *grid_size)
        norms = traced.patch_norms.reshape(-1, *grid_size)
        return BatchOutput(
            traced.logits, traced.features, norms, densities, sums, signed, dict(traced.completeness_errors)
        )

    def logits(self, images: UInt8Array) -> FloatArray:
        """Logits alone, (n, C), of any number of images (n, height, width, 3), a few at a time."""
        parts = [images[start : start + MAX_COPIES] for start in range(0, len(images), MAX_COPIES)]
        return np.concatenate([self._compiled_logits(tf.constant(part)).numpy() for part in parts])

    @property
    def map_ids(self) -> tuple[str, ...]:
        """The maps, in the order of the specs."""
        return tuple(spec.map_id for spec in self._specs)

    @property
    def num_forward_passes(self) -> int:
        """Forward passes of one image: one, and those of perturbed copies."""
        rows, columns = self.model.grid_size
        groups = [
            int(str(spec.options["group_size"])) for spec in self._specs if METHODS[spec.method].needs == "perturbation"
        ]
        return 1 + sum(1 + -(-rows // size) * -(-columns // size) for size in groups)

    def _run(self, images: UInt8Array, labels: IntArray) -> Traced:
        size = self._images_at_once()
        parts = [
            self._compiled(
                tf.constant(images[start : start + size]), tf.constant(labels[start : start + size], tf.int32)
            )
            for start in range(0, len(images), size)
        ]
        return Traced(
            *tf.nest.map_structure(lambda *chunks: np.concatenate([chunk.numpy() for chunk in chunks]), *parts)
        )

    def _images_at_once(self) -> int:
        """As many as a backward pass has room for; any number where there is none."""
        model = self.model
        if self._targets("gradients", "block_gradients"):
            # Gradients of every block's attention and of its softmax wait beside it.
            copies = 2
        elif self._targets("frozen_gradients"):
            copies = 1
        else:
            return sys.maxsize
        num_tokens = math.prod(model.grid_size) + model.num_prefix_tokens
        # Attention of every head; queries, keys, values and an MLP of four times the hidden size.
        floats = model.num_layers * num_tokens * (model.num_heads * num_tokens + 7 * model.hidden_size)
        return max(1, int(GRADIENT_BYTES / (4 * copies * floats)))

    def _perturb(self, spec: MapSpec, images: UInt8Array, weights: FloatArray) -> FloatArray:
        method, grid_size = METHODS[spec.method], self.model.grid_size
        return np.stack(
            [
                method.relevance(image, grid_size, score=lambda copies, w=w: self.logits(copies) @ w, **spec.options)
                for image, w in zip(images, weights, strict=True)
            ]
        )

    def _logits_alone(self, images: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.model.trace(tf.cast(images, tf.float32)).logits, tf.float32)

    def _trace_and_reduce(self, images: tf.Tensor, labels: tf.Tensor) -> Traced:
        inputs = tf.cast(images, tf.float32)
        # Variables are not watched (only activations are differentiated), so the input must be, or a frozen model
        # would leave the tape with nothing to follow.
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            if self._targets("gradients", "block_gradients"):
                tape.watch(inputs)
            trace = self.model.trace(inputs)
            logits = tf.cast(trace.logits, tf.float32)
            weights = {target: target_weights(target, logits, labels, self.model.classes) for target in self._targets()}
            scores = {target: tf.reduce_sum(weights[target] * logits) for target in self._targets("gradients")}
            block_scores = {key: self._block_scores(trace, weights[key[0]], key[1]) for key in self._readouts()}
        gradients = {target: _gradients(tape, score, trace) for target, score in scores.items()}
        block_gradients = {
            key: Gradients([tape.gradient(s, a) for s, a in zip(per_block, trace.attentions, strict=True)])
            for key, per_block in block_scores.items()
        }
        frozen = self._frozen_gradients(trace, weights)
        relevance, errors = {}, {}
        for spec in self._specs:
            method = METHODS[spec.method]
            if method.needs == "attention":
                relevance[spec.map_id] = method.relevance(trace, **spec.options)
            elif method.needs == "gradients":
                relevance[spec.map_id] = method.relevance(trace, gradients[spec.target], **spec.options)
            elif method.needs == "block_gradients":
                key = (spec.target, str(spec.options["readout"]))
                relevance[spec.map_id] = method.relevance(trace, block_gradients[key], **spec.options)
            elif method.needs == "frozen_gradients":
                relevance[spec.map_id] = method.relevance(trace, frozen[spec.target], **spec.options)
                start_layer = int(str(spec.options["start_layer"]))
                errors[spec.map_id] = completeness_error(trace, frozen[spec.target], start_layer=start_layer)
        patches = tf.cast(trace.block_outputs[-1], tf.float32)[:, trace.num_prefix_tokens :]
        return Traced(
            logits, tf.cast(trace.features, tf.float32), tf.norm(patches, axis=-1), relevance, errors, weights
        )

    def _frozen_gradients(self, trace: Trace, weights: Mapping[str, tf.Tensor]) -> dict[str, FrozenGradients]:
        if self._pull_back is None:
            return {}
        return {target: self._pull_back(trace, weights[target]) for target in self._targets("frozen_gradients")}

    def _targets(self, *needs: str) -> tuple[str, ...]:
        """The targets of the class-specific maps, each once; of those with these needs, if any are named."""
        wanted = needs or ("gradients", "block_gradients", "frozen_gradients", "perturbation")
        return tuple(dict.fromkeys(spec.target for spec in self._specs if METHODS[spec.method].needs in wanted))

    def _readouts(self) -> tuple[tuple[str, str], ...]:
        """Target and pooling of every map that reads the score at each block, each once."""
        pairs = (
            (spec.target, str(spec.options["readout"]))
            for spec in self._specs
            if METHODS[spec.method].needs == "block_gradients"
        )
        return tuple(dict.fromkeys(pairs))

    def _block_scores(self, trace: Trace, weights: tf.Tensor, pool: str) -> list[tf.Tensor]:
        readouts = (tf.cast(self.model.readout(tokens, pool), tf.float32) for tokens in trace.block_outputs)
        return [tf.reduce_sum(weights * logits) for logits in readouts]


def _gradients(tape: tf.GradientTape, score: tf.Tensor, trace: Trace) -> Gradients:
    *attentions, last_normalized = tape.gradient(score, [*trace.attentions, trace.last_normalized])
    return Gradients(attentions, last_normalized)
