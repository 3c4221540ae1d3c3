"""LeGrad against a case worked on paper and against finite differences, block by block."""

import numpy as np
import pytest
import tensorflow as tf
from plain_vit import NUM_HEADS, PlainVit, differences, raw_map, target_weights_of

from evalharness.attention import Gradients
from evalharness.attention.from_trace import legrad
from evalharness.records import Trace

TRACE = Trace(None, None, (), (), None, 1)


def test_by_hand():
    # Class token and two patches: the map is what flows into columns 1 and 2, whichever token asks.
    # Block 1, two heads: positive parts of column 1: 2 + 4 and 3; of column 2: 6 and 1 + 2. Mean over 2 x 3 entries:
    # (9/6, 9/6) = (1.5, 1.5). Negative entries count as zero one by one, not after adding up.
    # Block 2: column 1: 0.5 x 3 in one head; column 2: only negative ones. Mean: (1.5/6, 0) = (0.25, 0).
    first = [[[1, 2, -3], [0, 4, -1], [-5, 0, 6]], [[7, 3, 0], [0, 0, 1], [9, -2, 2]]]
    second = [[[0, 0.5, -1], [0, 0.5, -1], [0, 0.5, -1]], [[8, -2, -2], [8, 0, 0], [8, -1, 0]]]
    gradients = Gradients([tf.constant([block], tf.float32) for block in (first, second)])
    np.testing.assert_allclose(legrad(TRACE, gradients), [[1.75, 1.5]], rtol=1e-6)
    np.testing.assert_allclose(legrad(TRACE, gradients, start_layer=1), [[0.25, 0]], rtol=1e-6)


def test_every_image_has_its_own_map():
    gradient = tf.random.stateless_normal((3, 2, 4, 4), (1, 2))
    together = legrad(TRACE, Gradients([gradient])).numpy()
    alone = [legrad(TRACE, Gradients([gradient[index : index + 1]])).numpy()[0] for index in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


@pytest.mark.parametrize(
    ("readout", "target", "map_id"),
    [("mean", "roses", "legrad.roses"), ("mean", "contrast", "legrad.contrast"), ("cls", "roses", "at_cls")],
)
def test_a_real_vit_by_finite_differences_of_each_block_alone(readout, target, map_id):
    """Block l is run again from its stored input with every entry of its attention moved, then the head is read."""
    plain = PlainVit()
    *inputs, last = plain.block_inputs()
    weights = target_weights_of(plain.logits(last))[target]
    num_tokens = last.shape[1]
    expected = np.zeros((2, num_tokens - 1))
    for block, number in np.ndindex(3, 2):
        stored = inputs[block][number : number + 1].copy()

        def score(shift, block=block, stored=stored, weights=weights[number]):
            tokens, _ = plain.run_block(block, stored, attention_shift=shift)
            return plain.logits(tokens, readout) @ weights

        derivative = differences((NUM_HEADS, num_tokens, num_tokens), score)
        assert (derivative < -1e-4).any()
        expected[number] += np.maximum(derivative, 0).mean(axis=(0, 1))[1:]
    np.testing.assert_allclose(raw_map(map_id), expected, rtol=1e-5)
    assert (expected.std(axis=1) > 0.01 * expected.mean(axis=1)).all()


def test_the_readout_matters():
    assert np.abs(raw_map("at_cls") - raw_map("legrad.roses")).max() > 0.1 * raw_map("at_cls").max()
