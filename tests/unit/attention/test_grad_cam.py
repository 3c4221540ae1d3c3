"""Grad-CAM against a case worked on paper and finite differences, and why it reads the last block's first norm."""

import numpy as np
import pytest
import tensorflow as tf
from plain_vit import (
    IMAGES,
    PlainVit,
    differences,
    double_output,
    double_vit,
    raw_map,
    target_weights_of,
    traced_double_vit,
)
from vit_keras import layers

from evalharness.attention import Gradients
from evalharness.attention.from_trace import grad_cam
from evalharness.model.frozen_blocks import replay_block
from evalharness.records import Trace


def test_by_hand():
    # Class token and three patches of two channels. The class token's gradient (100, 100) and features take no part:
    # alpha = mean over patches of ds/dF = ((1 + 2 + 3) / 3, (-1 + 0 - 2) / 3) = (2, -1).
    # Patches: 2 x 1 - 1 x 1 = 1; 2 x 0 - 1 x 3 = -3, cut to 0; 2 x 2 + 1 x 1 = 5.
    features = tf.constant([[[50.0, -70.0], [1.0, 1.0], [0.0, 3.0], [2.0, -1.0]]])
    gradient = tf.constant([[[100.0, 100.0], [1.0, -1.0], [2.0, 0.0], [3.0, -2.0]]])
    trace = Trace(None, None, (), (), features, 1)
    np.testing.assert_allclose(grad_cam(trace, Gradients([], gradient)), [[1, 0, 5]], rtol=1e-6)


@pytest.mark.parametrize("target", ["daisy", "contrast"])
def test_a_real_vit_by_finite_differences(target):
    """Every entry of the first norm's output moves; the block's residual input stays."""
    plain = PlainVit()
    *inputs, last = plain.block_inputs()
    weights = target_weights_of(plain.logits(last))[target]
    features = plain.first_norm(2, inputs[2])
    expected = []
    for number in range(2):
        stored = inputs[2][number : number + 1]

        def score(shift, stored=stored, weights=weights[number]):
            return plain.logits(plain.run_block(2, stored, norm_shift=shift)[0]) @ weights

        derivative = differences(last.shape[1:], score)
        alpha = derivative[1:].mean(axis=0)
        expected.append(np.maximum(features[number, 1:] @ alpha, 0))
    np.testing.assert_allclose(raw_map(f"grad_cam.{target}"), expected, rtol=1e-5, atol=1e-9)
    assert (np.array(expected).max(axis=1) > 1e-4).all()


def test_a_class_that_no_patch_speaks_for_has_no_map():
    """ReLU leaves nothing of it: the sum is zero and the density undefined, not spread evenly."""
    output = double_output()
    np.testing.assert_array_equal(output.map_sums["grad_cam.roses"], 0)
    assert np.isnan(output.densities["grad_cam.roses"]).all()


def test_patches_at_the_last_block_s_output_do_not_reach_the_score():
    traced = traced_double_vit()
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        inputs = tf.constant(IMAGES, tf.float32)
        tape.watch(inputs)
        trace = traced.trace(inputs)
        score = tf.reduce_sum(trace.logits[:, 1])
    at_output, at_norm = tape.gradient(score, [trace.block_outputs[-1], trace.last_normalized])
    assert (at_output.numpy()[:, 1:] == 0).all()
    assert (np.abs(at_output.numpy()[:, 0]).max(axis=-1) > 1e-3).all()
    assert (np.abs(at_norm.numpy()[:, 1:]).max(axis=-1) > 1e-6).all()


def test_patches_at_the_last_block_s_output_do_not_reach_the_score_of_the_second_implementation():
    plain = PlainVit()
    last = plain.block_inputs()[-1]
    moved = differences(last.shape[1:], lambda shift: plain.logits(last[:1] + shift)[:, 1])
    assert (moved[1:] == 0).all()
    assert np.abs(moved[0]).max() > 1e-3


def test_the_replayed_block_is_the_block():
    blocks = [layer for layer in double_vit().layers if isinstance(layer, layers.TransformerBlock)]
    for block in [*blocks, _single(blocks[-1])]:
        inputs = tf.random.stateless_normal((2, 7, 8), (3, 4), stddev=2.0, dtype=block.dtype)
        output, attention = block(inputs, training=False)
        replayed, inside = replay_block(block, inputs)
        seen = inside.attention
        np.testing.assert_allclose(replayed, output, atol=1e-6, rtol=1e-6)
        np.testing.assert_allclose(seen, attention, atol=1e-6, rtol=1e-6)
        assert seen.shape == (2, 2, 7, 7)


def _single(block):
    """The same block in single precision, as models are loaded."""
    single = layers.TransformerBlock(num_heads=block.num_heads, mlp_dim=block.mlp_dim, dropout=0.1, name=block.name)
    single(tf.zeros((1, 7, 8)), training=False)
    single.set_weights(block.get_weights())
    assert single.dtype == "float32"
    return single
