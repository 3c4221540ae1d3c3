"""LibraGrad against a second implementation of the frozen network, affine and differentiated by differences."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_addons as tfa
from plain_vit import (
    CLASSES,
    IMAGE_SIZE,
    IMAGES,
    LABELS,
    NUM_HEADS,
    PATCH_SIZE,
    PlainVit,
    _dense,
    _heads,
    _layer_norm,
    _numbers,
    double_vit,
    target_weights_of,
    traced_double_vit,
)  # fmt: skip
from scipy.special import erf
from vit_keras import vit

from evalharness.attention import map_specs
from evalharness.attention.from_trace import completeness_error, libra
from evalharness.config import AttentionConfig
from evalharness.errors import ModelError
from evalharness.inference import ForwardPass
from evalharness.model.backbone import find_backbone
from evalharness.model.frozen_head import FrozenHead
from evalharness.model.tracing import TracedModel
from evalharness.records import BlockInside, FrozenGradients, Trace, VisionTransformer, WeightsSource

layers = tf.keras.layers
HEADS = ("tanh", "linear", "notebook")


@cache
def traced_vit(head):
    """A ViT in double precision: the one of the other tests, or its backbone's like under another head."""
    if head == "tanh":
        return traced_double_vit()
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float64")
    try:
        tf.keras.utils.set_random_seed(9)
        backbone = vit.build_model(
            image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, num_layers=3, hidden_size=8, num_heads=NUM_HEADS, mlp_dim=12,
            name="double", classes=0, include_top=False,
        )  # fmt: skip
        hidden = [layers.BatchNormalization(), layers.Dense(7, tfa.activations.gelu), layers.BatchNormalization()]
        top = [layers.Flatten(), *hidden] if head == "notebook" else []
        model = tf.keras.Sequential([backbone, *top, layers.Dense(len(CLASSES), "softmax")])
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
    for variable in model.variables:
        spread = tf.cast(tf.random.normal(variable.shape, stddev=0.6), variable.dtype)
        variable.assign(tf.abs(spread) + 0.5 if "variance" in variable.name else spread)
    return TracedModel(model, find_backbone(model), preprocessing="vit", output="auto")


class FrozenVit(PlainVit):
    """The network whose gates are those of `IMAGES`, in NumPy: affine in the input of every block."""

    def __init__(self, head):
        self.head = head
        traced = traced_vit(head)
        self.model = traced.model if head == "tanh" else traced.model.layers[0]
        self.head_layers = [] if head == "tanh" else traced.model.layers[1:]
        self.blocks = [layer for layer in self.model.layers if type(layer).__name__ == "TransformerBlock"]
        self.inputs = self.block_inputs()

    def scores(self, index, tokens, number, weights):
        """s of `tokens` (N, T, D) that enter block `index`, under the gates of image `number`."""
        for later in range(index, len(self.blocks)):
            tokens = self._block(later, tokens, self.inputs[later][number])
        reference = self.inputs[-1][number]
        norm = self.model.get_layer("Transformer/encoder_norm")
        return (
            self._head(_frozen_norm(norm, tokens, reference)[:, 0], _layer_norm(norm, reference[None])[:, 0]) @ weights
        )

    def true_scores(self, number, weights):
        """s of the network itself."""
        features = _layer_norm(self.model.get_layer("Transformer/encoder_norm"), self.inputs[-1][number][None])[:, 0]
        return float((self._head(features, features) @ weights)[0])

    def _block(self, index, tokens, reference):
        block = self.blocks[index]
        attention = self.run_block(index, reference[None])[1][0]
        value = _heads(_dense(block.att.value_dense, _frozen_norm(block.layernorm1, tokens, reference)))
        mixed = (attention @ value).swapaxes(1, 2)
        tokens = tokens + _dense(block.att.combine_heads, mixed.reshape(*mixed.shape[:2], -1))
        middle = self._middle(index, reference)
        first, second = (layer for layer in block.mlpblock.layers if hasattr(layer, "kernel"))
        hidden = _dense(first, _layer_norm(block.layernorm2, middle[None]))[0]
        factor = (1 + erf(hidden / np.sqrt(2))) / 2
        return tokens + _dense(second, factor * _dense(first, _frozen_norm(block.layernorm2, tokens, middle)))

    def _middle(self, index, reference):
        block = self.blocks[index]
        value = _heads(_dense(block.att.value_dense, _layer_norm(block.layernorm1, reference[None])))
        mixed = (self.run_block(index, reference[None])[1] @ value).swapaxes(1, 2)
        return reference + _dense(block.att.combine_heads, mixed.reshape(*mixed.shape[:2], -1))[0]

    def _head(self, values, reference):
        if self.head == "tanh":
            hidden = _dense(self.model.get_layer("pre_logits"), reference)
            ratio = np.tanh(hidden) / hidden
            return _dense(self.model.get_layer("head"), ratio * _dense(self.model.get_layer("pre_logits"), values))
        *others, last = self.head_layers
        for layer in others:
            if isinstance(layer, layers.BatchNormalization):
                values, reference = (_batch_norm(layer, part) for part in (values, reference))
            elif isinstance(layer, layers.Dense):
                values, reference = _dense(layer, values), _dense(layer, reference)
                factor = (1 + np.tanh(np.sqrt(2 / np.pi) * (reference + 0.044715 * reference**3))) / 2
                values, reference = values * factor, reference * factor
        return _dense(last, values)


def _frozen_norm(layer, values, reference):
    gamma, beta = _numbers(layer)
    deviation = np.sqrt(reference.var(axis=-1, keepdims=True) + 1e-6)
    return gamma * (values - values.mean(axis=-1, keepdims=True)) / deviation + beta


def _batch_norm(layer, values):
    gamma, beta, mean, variance = _numbers(layer)
    return gamma * (values - mean) / np.sqrt(variance + layer.epsilon) + beta


@cache
def frozen_vit(head):
    return FrozenVit(head)


@cache
def frozen_gradients(head, target):
    """The package's, in double precision, with the trace and the weights of the score."""
    traced = traced_vit(head)
    trace = traced.trace(tf.constant(IMAGES, tf.float32))
    weights = target_weights_of(trace.logits.numpy())[target]
    return trace, traced.freeze()(trace, tf.constant(weights, tf.float32)), weights


def derivative(plain, index, number, weights):
    """Differences of the frozen network's score, entry by entry, at a place of no importance: it is affine."""
    tokens = plain.inputs[index][number]
    steps = np.eye(tokens.size).reshape(-1, *tokens.shape)
    at_zero = plain.scores(index, np.zeros_like(tokens)[None], number, weights)
    return (plain.scores(index, steps, number, weights) - at_zero).reshape(tokens.shape)


def test_by_hand():
    # One block, a class token and two patches of two channels; only r = sum over channels of x * gradient counts:
    # patches 1 x 3 + 2 x -1 = 1 and 0 x 5 + 4 x -1 = -4; class token 2 x 1 = 2. Constant 0.5: 2 + 1 - 4 + 0.5 = -0.5.
    inputs = tf.constant([[[1.0, 1.0], [1.0, 2.0], [0.0, 4.0]]])
    gradient = tf.constant([[[1.0, 1.0], [3.0, -1.0], [5.0, -1.0]]])
    inside = BlockInside(inputs, None, None, None, None)
    trace = Trace(None, None, (), (), None, 1, (inside, inside))
    frozen = FrozenGradients((2 * gradient, gradient), (tf.constant([1.5]), tf.constant([0.5])), tf.constant([-0.5]))
    np.testing.assert_allclose(libra(trace, frozen), [[3, -12]])
    np.testing.assert_allclose(libra(trace, frozen, start_layer=1), [[1, -4]])
    # The first block's terms add up to 2 x -1 + 1.5 = -0.5 as well; with another constant they would not.
    np.testing.assert_allclose(completeness_error(trace, frozen), [0], atol=1e-7)
    off = frozen._replace(constants=(tf.constant([2.5]), tf.constant([0.5])))
    np.testing.assert_allclose(completeness_error(trace, off), [1])
    np.testing.assert_allclose(completeness_error(trace, off, start_layer=1), [0], atol=1e-7)
    large = FrozenGradients((gradient, gradient), (tf.constant([101.0]),) * 2, tf.constant([50.0]))
    np.testing.assert_allclose(completeness_error(trace, large), [1])


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("target", ["roses", "contrast"])
def test_gradients_are_those_of_the_slow_frozen_network(head, target):
    trace, frozen, weights = frozen_gradients(head, target)
    plain = frozen_vit(head)
    for number in range(len(IMAGES)):
        for index in range(3):
            np.testing.assert_allclose(trace.insides[index].inputs[number], plain.inputs[index][number], atol=1e-7)
            expected = derivative(plain, index, number, weights[number])
            np.testing.assert_allclose(frozen.at_inputs[index][number], expected, atol=1e-6, rtol=1e-6)
            assert np.abs(expected[1:]).max() > 1e-3


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("change", [1e-3, 0.5, -1.0, 10.0])
def test_a_change_of_any_size_changes_the_score_by_that_part_of_the_sum(head, change):
    trace, frozen, weights = frozen_gradients(head, "roses")
    plain = frozen_vit(head)
    for number in range(len(IMAGES)):
        for index in range(3):
            tokens = plain.inputs[index][number]
            terms = np.sum(trace.insides[index].inputs[number] * frozen.at_inputs[index][number])
            scores = plain.scores(index, np.stack([tokens, (1 + change) * tokens]), number, weights[number])
            np.testing.assert_allclose(scores[1] - scores[0], change * terms, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("head", HEADS)
def test_terms_and_constant_add_up_to_the_score(head):
    trace, frozen, weights = frozen_gradients(head, "contrast")
    plain = frozen_vit(head)
    for number in range(len(IMAGES)):
        score = plain.true_scores(number, weights[number])
        np.testing.assert_allclose(frozen.scores[number], score, rtol=1e-6)
        for index in range(3):
            at_zero = plain.scores(index, np.zeros((1, 7, 8)), number, weights[number])[0]
            np.testing.assert_allclose(frozen.constants[index][number], at_zero, rtol=1e-6, atol=1e-6)
            terms = np.sum(trace.insides[index].inputs[number] * frozen.at_inputs[index][number])
            np.testing.assert_allclose(terms + at_zero, score, rtol=1e-6, atol=1e-6)
    assert completeness_error(trace, frozen).numpy().max() < 1e-5


def test_the_whole_way_from_pixels_to_signed_map_and_density():
    traced = traced_vit("notebook")
    loaded = VisionTransformer(
        trace=traced.trace, readout=traced.readout, freeze=traced.freeze, predict_probs=traced.predict_probs,
        classes=CLASSES, preprocessing="vit", image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, num_layers=3,
        num_heads=NUM_HEADS, hidden_size=8, weights=WeightsSource("", Path(), "", "h5"), backbone_sha256="",
        architecture={}, device="CPU",
    )  # fmt: skip
    methods = ["libra", {"method": "libra", "name": "late", "target": "contrast", "options": {"start_layer": 2}}]
    forward = ForwardPass(loaded, map_specs(AttentionConfig(methods=methods), CLASSES))
    output = forward(IMAGES, LABELS, ["first", "second"])
    plain = frozen_vit("notebook")
    one_hot = np.eye(len(CLASSES))[output.logits.argmax(axis=1)]
    for map_id, weights, indices in (
        ("libra", one_hot, range(3)),
        ("late", target_weights_of(output.logits)["contrast"], [2]),
    ):
        for number in range(len(IMAGES)):
            terms = sum(
                (plain.inputs[index][number] * derivative(plain, index, number, weights[number])).sum(axis=-1)
                for index in indices
            )
            np.testing.assert_allclose(output.signed[map_id][number].ravel(), terms[1:], atol=1e-5, rtol=1e-5)
            positive = np.maximum(terms[1:], 0)
            np.testing.assert_allclose(
                output.densities[map_id][number].ravel(), positive / positive.mean(), atol=1e-4, rtol=1e-4
            )
            np.testing.assert_allclose(output.map_sums[map_id][number], positive.sum(), rtol=1e-5)
        assert output.completeness_errors[map_id].max() < 1e-5


FEATURES = np.random.default_rng(2).normal(size=(3, 6)).astype(np.float32)
SIMPLE_LAYERS = {
    "relu": lambda: layers.Dense(5, "relu"),
    "sigmoid, which is not 0 at 0": lambda: layers.Dense(5, "sigmoid"),
    "swish": lambda: layers.Dense(5, "swish"),
    "no bias": lambda: layers.Dense(5, "gelu", use_bias=False),
    "leaky relu": lambda: layers.LeakyReLU(0.2),
    "prelu": lambda: layers.PReLU(alpha_initializer="random_normal"),
    "activation": lambda: layers.Activation("softplus"),
    "layer norm": lambda: layers.LayerNormalization(gamma_initializer="random_normal"),
    "layer norm without scale": lambda: layers.LayerNormalization(scale=False, center=False),
    "unit norm": layers.UnitNormalization,
    "dropout": lambda: layers.Dropout(0.5),
    "nested": lambda: tf.keras.Sequential([layers.Dense(5, "elu"), layers.BatchNormalization()]),
}


@pytest.mark.parametrize("kind", SIMPLE_LAYERS)
def test_a_frozen_layer_is_the_layer_at_its_own_values_and_affine_elsewhere(kind):
    model = tf.keras.Sequential([layers.InputLayer((6,)), SIMPLE_LAYERS[kind]()])
    head = FrozenHead([model], lambda values: values)
    features, other = tf.constant(FEATURES), tf.constant(FEATURES[::-1] * 3)
    np.testing.assert_allclose(head.run(features, features), model(features), atol=2e-6)
    at_zero = head.run(features, tf.zeros_like(features))
    sums = head.run(features, features) + 2 * (head.run(features, other) - at_zero)
    np.testing.assert_allclose(head.run(features, features + 2 * other), sums, atol=2e-5)
    np.testing.assert_array_equal(model(features), model(features))


def test_branches_are_followed():
    start = layers.Input((6,))
    hidden = layers.Dense(5, "gelu")(start)
    model = tf.keras.Model(start, layers.Add()([layers.Dense(5)(start), hidden]))
    head = FrozenHead([model], lambda values: values)
    np.testing.assert_allclose(head.run(FEATURES, tf.constant(FEATURES)), model(FEATURES), atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: layers.Lambda(lambda values: values * values, name="squared"), "Lambda 'squared'"),
        (lambda: layers.Dense(5, "softmax", name="soft"), "Dense 'soft' with softmax"),
        (lambda: layers.Activation("softmax", name="softer"), "Activation 'softer' with softmax"),
        (lambda: layers.Softmax(name="softest"), "Softmax 'softest'"),
        (lambda: layers.LayerNormalization(axis=(1, 2), name="wide"), "LayerNormalization 'wide'"),
    ],
)
def test_a_layer_without_a_rule_is_refused_by_name(layer, named):
    shape = (2, 3) if "wide" in named else (6,)
    model = tf.keras.Sequential([layers.InputLayer(shape), layer()])
    with pytest.raises(ModelError, match="libra has no rule for a layer of the head") as caught:
        FrozenHead([model], lambda values: values)
    assert named in str(caught.value)


def test_models_are_not_changed():
    before = [np.array(values) for values in double_vit().get_weights()]
    names = [layer.name for layer in double_vit().layers]
    traced_double_vit().freeze()
    assert [layer.name for layer in double_vit().layers] == names
    for old, new in zip(before, double_vit().get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
