"""The score that a class-specific map explains."""

import numpy as np
import pytest
import tensorflow as tf

from evalharness.attention import target_weights

CLASSES = ["daisy", "rose", "tulip"]
LOGITS = [[0.0, 1.0, 2.0], [5.0, 1.0, 2.0]]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("predicted", [[0, 0, 1], [1, 0, 0]]),
        ("true", [[0, 0, 1], [0, 0, 1]]),
        # The first is right: predicted minus runner-up; the second is wrong: predicted minus true.
        ("contrast", [[0, -1, 1], [1, 0, -1]]),
        # Of three classes two others are there: predicted minus 0.6 times their mean.
        ("nearest", [[-0.3, -0.3, 1], [1, -0.3, -0.3]]),
        ("nearest:1:0.5", [[0, -0.5, 1], [1, 0, -0.5]]),
        ("nearest:2:1", [[-0.5, -0.5, 1], [1, -0.5, -0.5]]),
        ("rose", [[0, 1, 0], [0, 1, 0]]),
        ("daisy", [[1, 0, 0], [1, 0, 0]]),
    ],
)
def test_weights_of_a_right_and_a_wrong_verdict(target, expected):
    weights = target_weights(target, tf.constant(LOGITS), tf.constant([2, 2]), CLASSES)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights.dtype == tf.float32


def test_contrast_of_two_classes_is_the_margin():
    logits = tf.constant([[1.0, 3.0], [1.0, 3.0], [4.0, 0.0]])
    weights = target_weights("contrast", logits, tf.constant([0, 1, 1]), ["ok", "defect"])
    np.testing.assert_array_equal(weights, [[-1, 1], [-1, 1], [1, -1]])
    assert (np.sum(weights * logits, axis=1) > 0).all()


def test_equal_logits_fall_to_the_first_class_as_argmax_does():
    logits = tf.constant([[2.0, 2.0, 2.0], [0.0, 7.0, 7.0]])
    weights = target_weights("predicted", logits, tf.constant([0, 0]), CLASSES)
    np.testing.assert_array_equal(np.argmax(weights, axis=1), np.argmax(logits, axis=1))


def test_the_choice_of_the_class_is_not_differentiated():
    logits = tf.Variable(LOGITS)
    with tf.GradientTape() as tape:
        score = tf.reduce_sum(target_weights("contrast", logits, tf.constant([2, 2]), CLASSES) * logits)
    np.testing.assert_array_equal(tape.gradient(score, logits), [[0, -1, 1], [1, 0, -1]])
