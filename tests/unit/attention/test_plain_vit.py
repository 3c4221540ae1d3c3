"""The oracle itself: the NumPy transformer is the same function as vit-keras' own and as the package's trace."""

import numpy as np
import tensorflow as tf
from plain_vit import IMAGES, PlainVit, double_output, double_vit, traced_double_vit


def test_the_second_implementation_is_the_same_transformer():
    plain = PlainVit()
    *inputs, last = plain.block_inputs()
    trace = traced_double_vit().trace(tf.constant(IMAGES, tf.float32))
    np.testing.assert_allclose(plain.logits(last), double_vit()(IMAGES / 127.5 - 1, training=False), atol=1e-6)
    np.testing.assert_allclose(plain.logits(last), trace.logits, atol=1e-5)
    np.testing.assert_allclose(plain.logits(last), double_output().logits, atol=1e-5)
    for index, block_input in enumerate(inputs):
        output, attention = plain.run_block(index, block_input)
        # TensorFlow's gelu has the square root of 2 in single precision.
        np.testing.assert_allclose(output, trace.block_outputs[index], atol=1e-7)
        np.testing.assert_allclose(attention, trace.attentions[index], atol=1e-8)
        np.testing.assert_allclose(attention.sum(axis=-1), 1, rtol=1e-12)
        assert attention.std(axis=-1).max() > 0.1
    np.testing.assert_allclose(plain.first_norm(len(inputs) - 1, inputs[-1]), trace.last_normalized, atol=1e-7)
    np.testing.assert_allclose(plain.run_from(1, inputs[1]), last, atol=1e-12)
