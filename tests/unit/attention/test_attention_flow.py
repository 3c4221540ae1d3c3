"""Rollout and raw attention, which see attention alone, against cases worked on paper and full matrix products."""

import numpy as np
import pytest
import tensorflow as tf

from evalharness.attention.from_trace import last_attention, rollout
from evalharness.records import Trace

# Two blocks, one head, a class token and two patches. Worked on paper below.
FIRST = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]
SECOND = [[0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]


def trace_of(*attentions):
    return Trace(None, None, tuple(tf.constant(attention, tf.float32) for attention in attentions), (), None, 1)


@pytest.fixture(scope="module")
def trace():
    """Four blocks of five heads over seven tokens, for three images."""
    scores = [tf.random.stateless_normal((3, 5, 7, 7), (block, 1), stddev=2.0) for block in range(4)]
    return Trace(None, None, tuple(tf.nn.softmax(score) for score in scores), (), None, 1)


def test_rollout_by_hand():
    # (A + I) / 2: class rows (0.75, 0.125, 0.125) and (0.6, 0.3, 0.1); row 1 of the first is (0, 1, 0), row 2 is
    # (0, 0.25, 0.75). R[cls] = 0.6 (0.75, 0.125, 0.125) + 0.3 (0, 1, 0) + 0.1 (0, 0.25, 0.75) = (0.45, 0.4, 0.15).
    two_blocks = trace_of([[FIRST]], [[SECOND]])
    np.testing.assert_allclose(rollout(two_blocks), [[0.4, 0.15]], atol=1e-7)
    np.testing.assert_allclose(rollout(two_blocks, start_layer=1), [[0.3, 0.1]], atol=1e-7)


@pytest.mark.parametrize("start_layer", [0, 2, 3])
def test_rollout_from_full_products(trace, start_layer):
    product = np.eye(7)
    for attention in trace.attentions[start_layer:]:
        product = (attention.numpy().mean(axis=1) + np.eye(7)) / 2 @ product
    np.testing.assert_allclose(product.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(rollout(trace, start_layer=start_layer), product[:, 0, 1:], rtol=1e-5)


def test_last_attention_by_hand():
    np.testing.assert_allclose(last_attention(trace_of([[SECOND, FIRST]])), [[0.425, 0.225]], atol=1e-7)


def test_last_attention_of_a_block_and_a_head_is_a_slice(trace):
    for layer in (-1, -4, 0, 2):
        attention = trace.attentions[layer].numpy()
        np.testing.assert_allclose(
            last_attention(trace, layer=layer), attention[:, :, 0, 1:].mean(axis=1), rtol=1e-6, atol=1e-9
        )
        for head in range(5):
            np.testing.assert_array_equal(last_attention(trace, layer=layer, head=head), attention[:, head, 0, 1:])


def test_last_attention_is_the_mean_of_its_heads(trace):
    heads = [last_attention(trace, head=head).numpy() for head in range(5)]
    np.testing.assert_allclose(last_attention(trace), np.mean(heads, axis=0), rtol=1e-6)
    assert np.std(heads, axis=0).max() > 0.01


@pytest.mark.parametrize("method", [rollout, last_attention])
def test_a_map_has_at_most_the_attention_that_there_is(trace, method):
    values = method(trace).numpy()
    assert values.shape == (3, 6)
    assert (values >= 0).all()
    assert (values.sum(axis=1) <= 1).all()


@pytest.mark.parametrize("method", [rollout, last_attention])
def test_the_model_says_how_many_tokens_come_before_the_patches(trace, method):
    np.testing.assert_array_equal(method(trace._replace(num_prefix_tokens=3)), method(trace).numpy()[:, 2:])
