"""The attention methods against hand-worked tiny cases, a plain eager implementation and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from vit_keras import layers, vit

from evalharness.attention import METHODS, Gradients, target_weights
from evalharness.attention.graph import grad_attention, last_attention, rollout
from evalharness.records import Trace


def make_trace(attentions) -> Trace:
    """A trace that holds attention only."""
    tensors = tuple(tf.constant(attention, tf.float32) for attention in attentions)
    return Trace(tf.zeros([len(attentions[0]), 2]), tf.zeros([len(attentions[0]), 4]), tensors, (), None)


# Two blocks, one head, a class token and two patches. Worked on paper below.
FIRST = [[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]
SECOND = [[0.2, 0.6, 0.2], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]


def test_rollout_by_hand():
    # (A + I) / 2: class rows (0.75, 0.125, 0.125) and (0.6, 0.3, 0.1); row 1 of the first is (0, 1, 0), row 2 is
    # (0, 0.25, 0.75). R[cls] = 0.6 (0.75, 0.125, 0.125) + 0.3 (0, 1, 0) + 0.1 (0, 0.25, 0.75) = (0.45, 0.4, 0.15).
    values = rollout(make_trace([[[FIRST]], [[SECOND]]])).numpy()
    np.testing.assert_allclose(values, [[0.4, 0.15]], atol=1e-7)


def test_rollout_from_a_later_block_by_hand():
    np.testing.assert_allclose(rollout(make_trace([[[FIRST]], [[SECOND]]]), start_layer=1), [[0.3, 0.1]], atol=1e-7)


def test_last_attention_by_hand():
    heads = [[SECOND, FIRST]]
    np.testing.assert_allclose(last_attention(make_trace([heads])), [[0.425, 0.225]], atol=1e-7)


def test_grad_attention_by_hand():
    # Gradients 1 and -1 in one head each: the negative head counts as zero, so E_h halves the positive products.
    # Block 1 (gradient 2): Abar_1 = FIRST; block 2: one head SECOND with gradient 1, another with gradient -1:
    # Abar_2 = SECOND / 2. R[cls] = (I + Abar_2)(I + Abar_1)[cls]
    #   = (1.1, 0.3, 0.1) (I + FIRST); I + FIRST rows (1.5, .25, .25), (0, 2, 0), (0, .5, 1.5)
    #   = (1.65, 0.275 + 0.6 + 0.05, 0.275 + 0 + 0.15) = (1.65, 0.925, 0.425).
    trace = make_trace([[[FIRST, FIRST]], [[SECOND, SECOND]]])
    one = np.ones((3, 3))
    gradients = Gradients([tf.constant([[one, one]], tf.float32), tf.constant([[one, -one]], tf.float32)])
    np.testing.assert_allclose(grad_attention(trace, gradients), [[0.925, 0.425]], atol=1e-6)
    np.testing.assert_allclose(grad_attention(trace, gradients, start_layer=1), [[0.3, 0.1]], atol=1e-7)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("predicted", [[0, 0, 1], [1, 0, 0]]),
        ("true", [[0, 0, 1], [0, 0, 1]]),
        # The first is right: predicted minus runner-up; the second is wrong: predicted minus true.
        ("contrast", [[0, -1, 1], [1, 0, -1]]),
        ("rose", [[0, 1, 0], [0, 1, 0]]),
    ],
)
def test_target_weights(target, expected):
    logits = tf.constant([[0.0, 1.0, 2.0], [5.0, 1.0, 2.0]])
    weights = target_weights(target, logits, tf.constant([2, 2]), ["daisy", "rose", "tulip"])
    np.testing.assert_array_equal(weights, expected)


class TinyViT:
    """A tiny real ViT in double precision, whose attention can be perturbed from outside."""

    def __init__(self, monkeypatch, *, image_size=(12, 4)):
        self.perturbations = None
        tiny = self
        original = layers.MultiHeadSelfAttention.attention

        def perturbed(self, query, key, value):
            output, weights = original(self, query, key, value)
            if tiny.perturbations is not None:
                weights = weights + tiny.perturbations[tiny.block]
                tiny.block += 1
                output = tf.matmul(weights, value)
            return output, weights

        monkeypatch.setattr(layers.MultiHeadSelfAttention, "attention", perturbed)
        tf.keras.backend.set_floatx("float64")
        tf.keras.utils.set_random_seed(7)
        self.model = vit.build_model(
            image_size=image_size,
            patch_size=4,
            num_layers=3,
            hidden_size=8,
            num_heads=2,
            mlp_dim=12,
            name="tiny",
            classes=3,
            include_top=True,
            activation="linear",
        )
        for variable in self.model.trainable_variables:
            # Large enough for attention that differs between tokens.
            variable.assign(tf.cast(tf.random.normal(variable.shape, stddev=0.6), variable.dtype))
        outputs = [layer.output[1] for layer in self.model.layers if isinstance(layer, layers.TransformerBlock)]
        self.traced = tf.keras.Model(self.model.input, [self.model.output, *outputs])
        self.images = np.random.default_rng(3).normal(size=(2, *image_size, 3))

    def logits(self, perturbations=None):
        self.perturbations, self.block = perturbations, 0
        values = self.model(self.images, training=False).numpy()
        self.perturbations = None
        return values


@pytest.fixture
def tiny(monkeypatch):
    yield TinyViT(monkeypatch)
    tf.keras.backend.set_floatx("float32")


def traced_gradients(tiny, target_class):
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        inputs = tf.constant(tiny.images)
        tape.watch(inputs)
        logits, *attentions = tiny.traced(inputs, training=False)
        score = tf.reduce_sum(logits[:, target_class])
    return logits, attentions, tape.gradient(score, attentions)


def test_grad_attention_of_a_real_vit_from_finite_differences(tiny):
    """Every derivative by central differences on the perturbed attention, then the formula as full matrix products."""
    target_class, step = 1, 1e-5
    logits, attentions, gradients = traced_gradients(tiny, target_class)
    num_tokens = attentions[0].shape[-1]
    relevance = np.stack([np.eye(num_tokens)] * 2)
    for block, attention in enumerate(attentions):
        derivative = np.zeros(attention.shape)
        for head, row, column in np.ndindex(*attention.shape[1:]):
            shifts = [np.zeros(attention.shape) for _ in attentions]
            shifts[block][:, head, row, column] = step
            up = tiny.logits(shifts)[:, target_class]
            down = tiny.logits([-shift for shift in shifts])[:, target_class]
            derivative[:, head, row, column] = (up - down) / (2 * step)
        np.testing.assert_allclose(gradients[block], derivative, atol=1e-7)
        weighted = np.maximum(derivative * attention.numpy(), 0).mean(axis=1)
        relevance = relevance + weighted @ relevance
    values = grad_attention(Trace(logits, None, attentions, (), None), Gradients(gradients))
    np.testing.assert_allclose(values, relevance[:, 0, 1:], rtol=1e-5)
    assert values.numpy().std() > 0


def test_rollout_of_a_real_vit_from_full_products(tiny):
    _, attentions, _ = traced_gradients(tiny, 0)
    product = np.eye(attentions[0].shape[-1])
    for attention in attentions:
        mean = attention.numpy().mean(axis=1)
        product = (mean + np.eye(mean.shape[-1])) / 2 @ product
    np.testing.assert_allclose(rollout(Trace(None, None, attentions, (), None)), product[:, 0, 1:], rtol=1e-5)


@pytest.mark.parametrize("name", ["grad_attention", "rollout", "last_attention", "legrad"])
def test_maps_are_non_negative_finite_and_blind_to_the_order_of_heads(tiny, name):
    logits, attentions, gradients = traced_gradients(tiny, 2)
    for attention in attentions:
        np.testing.assert_allclose(attention.numpy().sum(axis=-1), 1, atol=1e-12)

    def relevance(order):
        trace = Trace(logits, None, [attention[:, ::order] for attention in attentions], (), None)
        given = (
            [] if METHODS[name].needs == "attention" else [Gradients([gradient[:, ::order] for gradient in gradients])]
        )
        return METHODS[name].relevance(trace, *given).numpy()

    values = relevance(1)
    assert values.shape == (2, 3)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    np.testing.assert_allclose(relevance(-1), values, rtol=1e-5)
