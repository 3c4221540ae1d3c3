"""Gradient-weighted attention against a case worked on paper and finite differences through the whole network."""

import numpy as np
import pytest
import tensorflow as tf
from plain_vit import NUM_HEADS, PlainVit, differences, raw_map, target_weights_of

from evalharness.attention import Gradients
from evalharness.attention.from_trace import grad_attention
from evalharness.records import Trace

FIRST = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]
SECOND = [[0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]


def trace_of(*attentions):
    return Trace(None, None, tuple(tf.constant([heads], tf.float32) for heads in attentions), (), None, 1)


def test_by_hand():
    # Block 1 has gradient 1 in both heads: Abar_1 = FIRST. Block 2 has gradients 1 and -1, and the negative head counts
    # as zero: Abar_2 = SECOND / 2. R[cls] = ((I + Abar_2)(I + Abar_1))[cls]
    #   = (1.1, 0.3, 0.1) (I + FIRST); the rows of I + FIRST are (1.5, .25, .25), (0, 2, 0), (0, .5, 1.5)
    #   = (1.65, 0.275 + 0.6 + 0.05, 0.275 + 0 + 0.15) = (1.65, 0.925, 0.425).
    trace = trace_of([FIRST, FIRST], [SECOND, SECOND])
    one = np.ones((3, 3))
    gradients = Gradients([tf.constant([[one, one]], tf.float32), tf.constant([[one, -one]], tf.float32)])
    np.testing.assert_allclose(grad_attention(trace, gradients), [[0.925, 0.425]], atol=1e-6)
    np.testing.assert_allclose(grad_attention(trace, gradients, start_layer=1), [[0.3, 0.1]], atol=1e-7)


def test_without_positive_gradients_nothing_is_relevant():
    trace = trace_of([FIRST], [SECOND])
    gradients = Gradients([tf.constant(-np.ones((1, 1, 3, 3)), tf.float32)] * 2)
    np.testing.assert_array_equal(grad_attention(trace, gradients), [[0, 0]])


@pytest.mark.parametrize(
    ("target", "map_id", "start_layer"),
    [
        ("roses", "grad_attention.roses", 0),
        ("contrast", "grad_attention.contrast", 0),
        ("roses", "late", 1),
    ],
)
def test_a_real_vit_by_finite_differences(target, map_id, start_layer):
    """Every entry of every block's attention moves and the later blocks run on; then the formula in full matrices."""
    plain = PlainVit()
    *inputs, last = plain.block_inputs()
    weights = target_weights_of(plain.logits(last))[target]
    num_tokens = last.shape[1]
    expected = []
    for number in range(2):
        relevance = np.eye(num_tokens)
        for block in range(start_layer, 3):
            stored = inputs[block][number : number + 1]

            def score(shift, block=block, stored=stored, weights=weights[number]):
                tokens, _ = plain.run_block(block, stored, attention_shift=shift)
                return plain.logits(plain.run_from(block + 1, tokens)) @ weights

            derivative = differences((NUM_HEADS, num_tokens, num_tokens), score)
            attention = plain.run_block(block, stored)[1][0]
            relevance += np.maximum(derivative * attention, 0).mean(axis=0) @ relevance
        expected.append(relevance[0, 1:])
    np.testing.assert_allclose(raw_map(map_id), expected, rtol=1e-5, atol=1e-8)
    assert (np.std(expected, axis=1) > 0.01 * np.mean(expected, axis=1)).all()
