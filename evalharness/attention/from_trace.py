"""The TensorFlow part of the attention methods: each reduces one forward pass to a relevance per patch, in the graph.

All heads' attention of ViT-B/16 at 224 px is 22 MB an image, so nothing but the reduced maps leaves the graph.

Every relation below needs one row of a product of matrices, r M_L ... M_1, so it is computed as a row vector times one
matrix after another: O(L T^2) an image instead of O(L T^3). r holds the weights with which the head reads the tokens: 1
for the class token, nearly always; 1 / P for each patch where it reads their mean. R[r] below is r R.

Shapes: B images, H heads, T tokens with the P patches last, L blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from evalharness.attention.targets import class_of, nearest_of
from evalharness.lazy import LazyModule
from evalharness.records import FrozenGradients, Trace

if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = LazyModule("tensorflow")


class Gradients(NamedTuple):
    """Derivatives of a target score s."""

    attentions: Sequence[tf.Tensor]
    """ds/dA_l, L tensors (B, H, T, T); for `legrad` those of the score read at each block's own output."""
    last_normalized: tf.Tensor | None = None
    """ds/dF (B, T, D), F the output of the first norm inside the last block."""


def grad_attention(trace: Trace, gradients: Gradients, *, start_layer: int = 0) -> tf.Tensor:
    """Relevance by gradient-weighted attention: R <- R + E_h[(ds/dA_l * A_l)+] R from R = I; the map is R[r] - r.

    What r itself weighs is no attention: it is taken away, which changes nothing where r is the class token.
    Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", ICCV 2021, eq. 5 and 6, for self-attention alone.

    Args:
        trace: One forward pass.
        gradients: Of the target score.
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), non-negative.
    """
    start = row = _readout_row(trace)
    pairs = list(zip(trace.attentions, gradients.attentions, strict=True))[start_layer:]
    for attention, gradient in reversed(pairs):
        weighted = tf.nn.relu(tf.cast(gradient, tf.float32) * tf.cast(attention, tf.float32))
        row += tf.matmul(row, tf.reduce_mean(weighted, axis=1))
    return (row - start)[:, 0, trace.num_prefix_tokens :]


def rollout(trace: Trace, *, start_layer: int = 0) -> tf.Tensor:
    """Attention rollout: A^_l = (E_h A_l + I) / 2, R = A^_L ... A^_1; the map is R[r].

    Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. It never sees the classifier head.

    Args:
        trace: One forward pass.
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), non-negative, at most 1 in sum.
    """
    row = _readout_row(trace)
    for attention in reversed(trace.attentions[start_layer:]):
        row = 0.5 * (tf.matmul(row, _mean_over_heads(attention)) + row)
    return row[:, 0, trace.num_prefix_tokens :]


def last_attention(trace: Trace, *, layer: int = -1, head: int | None = None) -> tf.Tensor:
    """One block's attention from the tokens that the head reads, r, to the patches.

    Args:
        trace: One forward pass.
        layer: The block, from 0, or from -1 backwards; default the last.
        head: One head, from 0; default the mean over heads.

    Returns:
        (B, P), non-negative, at most 1 in sum.
    """
    attention = trace.attentions[layer]
    rows = _mean_over_heads(attention) if head is None else tf.cast(attention[:, head], tf.float32)
    return tf.matmul(_readout_row(trace), rows)[:, 0, trace.num_prefix_tokens :]


def legrad(trace: Trace, gradients: Gradients, *, readout: str = "mean", start_layer: int = 0) -> tf.Tensor:
    """LeGrad: E_l = mean over heads and queries of ReLU(ds_l/dA_l); the map is the sum of E_l over blocks.

    s_l is the target logit of the head on the final norm of block l's output, its input held constant.
    Bousselham et al., "LeGrad: An Explainability Method for Vision Transformers via Feature
    Formation Sensitivity", 2024.

    Args:
        trace: One forward pass.
        gradients: ds_l/dA_l of each block.
        readout: How s_l pools tokens, `head`, `cls` or `mean`; already in the gradients.
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), non-negative.
    """
    del readout
    blocks = [
        tf.reduce_mean(tf.nn.relu(tf.cast(gradient, tf.float32)), axis=(1, 2))
        for gradient in gradients.attentions[start_layer:]
    ]
    return tf.add_n(blocks)[:, trace.num_prefix_tokens :]


def libra(trace: Trace, frozen: FrozenGradients, *, start_layer: int = 0) -> tf.Tensor:
    """LibraGrad: input times gradient of the frozen network, r_l = sum over D of x_l * ds/dx_l, summed over blocks.

    Mehri, Fakhari, Baghshah and Rohban, "LibraGrad: Balancing Gradient Flow for Universally Better Vision Transformer
    Attributions", CVPR 2025. With attention weights, deviations of norms and the factors of activations held constant,
    the score is affine in the tokens x_l that enter block l: r_l and the constants add up to it.

    Args:
        trace: One forward pass.
        frozen: Its frozen gradients.
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), with signs: what each patch adds to the score, summed over the blocks that count.
    """
    return tf.add_n(_relevance_of_tokens(trace, frozen)[start_layer:])[:, trace.num_prefix_tokens :]


def completeness_error(trace: Trace, frozen: FrozenGradients, *, start_layer: int = 0) -> tf.Tensor:
    """How far the terms of `libra` are from adding up: |sum of r_l + constant - s| / max(|s|, 1), the worst block's.

    Args:
        trace: One forward pass.
        frozen: Its frozen gradients.
        start_layer: First block that counts, from 0.

    Returns:
        (B,): a part of the score, or of one logit where the score is smaller.
    """
    scores = tf.cast(frozen.scores, tf.float32)
    pairs = list(zip(_relevance_of_tokens(trace, frozen), frozen.constants, strict=True))[start_layer:]
    sums = tf.stack([tf.reduce_sum(terms, axis=1) + tf.cast(constant, tf.float32) for terms, constant in pairs])
    return tf.reduce_max(tf.abs(sums - scores), axis=0) / tf.maximum(tf.abs(scores), 1.0)


def grad_cam(trace: Trace, gradients: Gradients) -> tf.Tensor:
    """Grad-CAM on F, the last block's first norm: a_c = mean over patches of ds/dF[., c]; ReLU(sum_c a_c F[., c]).

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
    At the last block's output the gradient of patch tokens is zero where the head reads the class token: they do not
    reach it any more.

    Args:
        trace: One forward pass.
        gradients: Of the target score.

    Returns:
        (B, P), non-negative.
    """
    features = tf.cast(trace.last_normalized, tf.float32)[:, trace.num_prefix_tokens :]
    gradient = tf.cast(gradients.last_normalized, tf.float32)[:, trace.num_prefix_tokens :]
    weights = tf.reduce_mean(gradient, axis=1, keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * features, axis=2))


def target_weights(target: str, logits: tf.Tensor, labels: tf.Tensor, classes: Sequence[str]) -> tf.Tensor:
    """The weights w that make the target score s = w . logits.

    Args:
        target: `predicted`; `true`; `contrast` (predicted minus true, or minus the runner-up where the verdict is
            right); `nearest`: predicted minus 0.6 times the mean of the three classes that come next (Zhang et al.,
            "Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation", CVPR 2025), or other
            numbers as in `nearest:3:0.6`; or a class, as `target_of_class` names it.
        logits: (B, C).
        labels: (B,) indices of the true classes.
        classes: Names in the order of the outputs.

    Returns:
        (B, C) float32, constant with respect to the logits.
    """
    num_classes = len(classes)
    logits = tf.stop_gradient(logits)
    top = tf.math.top_k(logits, k=2).indices
    predicted = tf.one_hot(top[:, 0], num_classes)
    if target == "predicted":
        return predicted
    if target == "true":
        return tf.one_hot(labels, num_classes)
    if target == "contrast":
        against = tf.where(tf.equal(top[:, 0], labels), top[:, 1], labels)
        return predicted - tf.one_hot(against, num_classes)
    nearest = nearest_of(target)
    if nearest is not None:
        num_others = min(nearest.num_classes, num_classes - 1)
        others = tf.math.top_k(logits, k=num_others + 1).indices[:, 1:]
        return predicted - nearest.weight * tf.reduce_mean(tf.one_hot(others, num_classes), axis=1)
    index = tf.fill([tf.shape(logits)[0]], list(classes).index(class_of(target)))
    return tf.one_hot(index, num_classes)


def _relevance_of_tokens(trace: Trace, frozen: FrozenGradients) -> list[tf.Tensor]:
    """r_l of every block, (B, T)."""
    pairs = zip(trace.insides, frozen.at_inputs, strict=True)
    return [
        tf.reduce_sum(tf.cast(inside.inputs, tf.float32) * tf.cast(gradient, tf.float32), axis=-1)
        for inside, gradient in pairs
    ]


def _readout_row(trace: Trace) -> tf.Tensor:
    """R of every image, (B, 1, T)."""
    shape = tf.shape(trace.attentions[0])
    if trace.readout_row is None:
        return tf.one_hot(tf.zeros([shape[0], 1], tf.int32), shape[-1])
    row = tf.constant(trace.readout_row, tf.float32)
    return tf.broadcast_to(row, [shape[0], 1, shape[-1]])


def _mean_over_heads(attention: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(attention, tf.float32), axis=1)
