"""The TensorFlow part of the attention methods: each reduces one forward pass to a relevance per patch, in the graph.

All heads' attention of ViT-B/16 at 224 px is 22 MB an image, so nothing but the reduced maps leaves the graph.

Every relation below needs one row of a product of matrices, R[cls] = e_cls M_L ... M_1, so it is computed as a row
vector times one matrix after another: O(L T^2) an image instead of O(L T^3).

Shapes: B images, H heads, T tokens with the class token first, P patches, L blocks.
"""

from collections.abc import Sequence

import tensorflow as tf

from evalharness.records import Trace

NUM_PREFIX_TOKENS = 1


def grad_attention(trace: Trace, gradients: Sequence[tf.Tensor], *, start_layer: int = 0) -> tf.Tensor:
    """Relevance by gradient-weighted attention: R <- R + E_h[(ds/dA_l * A_l)+] R from R = I; the map is R[cls].

    Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and Encoder-Decoder
    Transformers", ICCV 2021, eq. 5 and 6, for self-attention alone.

    Args:
        trace: One forward pass.
        gradients: ds/dA_l of each block, L tensors (B, H, T, T).
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), non-negative.
    """
    row = _class_token_row(trace)
    pairs = list(zip(trace.attentions, gradients, strict=True))[start_layer:]
    for attention, gradient in reversed(pairs):
        weighted = tf.nn.relu(tf.cast(gradient, tf.float32) * tf.cast(attention, tf.float32))
        row += tf.matmul(row, tf.reduce_mean(weighted, axis=1))
    return _patches(row)


def rollout(trace: Trace, gradients: Sequence[tf.Tensor], *, start_layer: int = 0) -> tf.Tensor:
    """Attention rollout: A^_l = (E_h A_l + I) / 2, R = A^_L ... A^_1; the map is R[cls].

    Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020. It never sees the classifier head.

    Args:
        trace: One forward pass.
        gradients: Not used.
        start_layer: First block that counts, from 0.

    Returns:
        (B, P), non-negative, at most 1 in sum.
    """
    del gradients
    row = _class_token_row(trace)
    for attention in reversed(trace.attentions[start_layer:]):
        row = 0.5 * (tf.matmul(row, _mean_over_heads(attention)) + row)
    return _patches(row)


def last_attention(trace: Trace, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """The last block's attention from the class token to the patches, averaged over heads.

    Args:
        trace: One forward pass.
        gradients: Not used.

    Returns:
        (B, P), non-negative, at most 1 in sum.
    """
    del gradients
    return _mean_over_heads(trace.attentions[-1])[:, 0, NUM_PREFIX_TOKENS:]


def target_weights(target: str, logits: tf.Tensor, labels: tf.Tensor, classes: Sequence[str]) -> tf.Tensor:
    """The weights w that make the target score s = w . logits.

    Args:
        target: `predicted`; `true`; `contrast` (predicted minus true, or minus the runner-up where the verdict is
            right); or a class name.
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
    index = tf.fill([tf.shape(logits)[0]], list(classes).index(target))
    return tf.one_hot(index, num_classes)


def _class_token_row(trace: Trace) -> tf.Tensor:
    shape = tf.shape(trace.attentions[0])
    return tf.one_hot(tf.zeros([shape[0], 1], tf.int32), shape[-1])


def _mean_over_heads(attention: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(attention, tf.float32), axis=1)


def _patches(row: tf.Tensor) -> tf.Tensor:
    return row[:, 0, NUM_PREFIX_TOKENS:]
