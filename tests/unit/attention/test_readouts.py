"""Maps of models whose head reads the mean of the patches, or several tokens, against NumPy and finite differences."""

from functools import cache

import numpy as np
import pytest
import tensorflow as tf
from plain_vit import (
    CLASSES,
    IMAGE_SIZE,
    IMAGES,
    NUM_HEADS,
    PATCH_SIZE,
    PlainVit,
    _dense,
    _layer_norm,
    _numbers,
    differences,
    target_weights_of,
)  # fmt: skip
from test_libra import FrozenVit, _frozen_norm

from evalharness.attention import Gradients
from evalharness.attention.from_trace import completeness_error, grad_attention, last_attention, legrad, rollout
from evalharness.config import ModelConfig
from evalharness.model.backbone import find_backbone
from evalharness.model.checkpoint_architecture import build_checkpoint_model
from evalharness.model.checkpoints import ModelDescription, PhotoSettings
from evalharness.model.checkpoints.description import StoredPositions
from evalharness.model.tracing import TracedModel

PATCHES, HIDDEN = 6, 8
KINDS = {
    "mean": ("mean", 1, False),
    "mean without class token, normed behind it": ("mean", 0, True),
    "class token and mean behind registers": ("cls_mean", 5, False),
    "class and distillation token": ("cls_dist", 2, False),
}
NAMES = [*KINDS]


@cache
def traced(kind):
    """A model in double precision with large random weights; its head is in single precision."""
    pooling, num_prefix, is_normed_behind = KINDS[kind]
    sizes = {"patch_size": PATCH_SIZE, "num_layers": 3, "hidden_size": HIDDEN, "num_heads": NUM_HEADS, "mlp_dim": 12}
    described = ModelDescription(
        architecture="", **sizes, epsilon=1e-6, pooling=pooling, prefix_tokens=(), num_prefix_tokens=num_prefix,
        positions=StoredPositions((3, 2), num_prefix, is_antialiased=False), is_normed_before_head=is_normed_behind,
        num_outputs=3, classes=CLASSES, photos=PhotoSettings(),
    )  # fmt: skip
    config = ModelConfig(
        weights="", backbone="huggingface", image_size=IMAGE_SIZE, preprocessing="vit", epsilon=1e-6, pooling=pooling,
        **sizes,
    )  # fmt: skip
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float64")
    try:
        tf.keras.utils.set_random_seed(8)
        model = build_checkpoint_model(config, described, num_classes=len(CLASSES))
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
    for variable in model.variables:
        variable.assign(tf.cast(tf.random.normal(variable.shape, stddev=0.6), variable.dtype))
    return TracedModel(model, find_backbone(model), preprocessing="vit", output="auto")


class ReadVit(FrozenVit):
    """The same model in NumPy, its readout written out once more."""

    def __init__(self, kind):
        self.pooling, self.num_prefix, self.is_normed_behind = KINDS[kind]
        self.model, *self.head_layers = traced(kind).model.layers
        self.blocks = [layer for layer in self.model.layers if type(layer).__name__ == "TransformerBlock"]
        self.inputs = self.block_inputs()

    def block_inputs(self):
        pixels = (IMAGES.astype(np.float32) / np.float32(127.5) - 1).astype(np.float64)
        kernel, bias = _numbers(self.model.get_layer("embedding"))
        patches = [
            np.einsum("nhwc,hwcd->nd", pixels[:, y : y + PATCH_SIZE, x : x + PATCH_SIZE], kernel) + bias
            for y in range(0, IMAGE_SIZE[0], PATCH_SIZE)
            for x in range(0, IMAGE_SIZE[1], PATCH_SIZE)
        ]
        before = np.repeat(self.model.get_layer("class_token").cls.numpy().astype(np.float64), len(IMAGES), axis=0)
        tokens = np.concatenate([before, np.stack(patches, axis=1)], axis=1)
        inputs = [tokens + self.model.get_layer("Transformer/posembed_input").pe.numpy()]
        for index in range(len(self.blocks)):
            inputs.append(self.run_block(index, inputs[-1])[0])
        return inputs

    @property
    def row(self):
        """The weights with which the head reads the tokens."""
        first, mean = np.zeros(self.num_prefix + PATCHES), np.zeros(self.num_prefix + PATCHES)
        first[:1], mean[self.num_prefix :] = 1, 1 / PATCHES
        both = np.zeros_like(first)
        both[:2] = 0.5
        return {"mean": mean, "cls_mean": (first + mean) / 2, "cls_dist": both}[self.pooling]

    def read(self, tokens):
        mean = tokens[:, self.num_prefix :].mean(axis=1)
        if self.pooling == "mean":
            return mean
        return np.concatenate([tokens[:, 0], mean if self.pooling == "cls_mean" else tokens[:, 1]], axis=1)

    def logits(self, tokens, readout="head"):
        if self.is_normed_behind:
            return _dense(self.head_layers[-1], _layer_norm(self.head_layers[0], self.read(tokens)))
        return _dense(
            self.head_layers[-1], self.read(_layer_norm(self.model.get_layer("Transformer/encoder_norm"), tokens))
        )

    def scores(self, index, tokens, number, weights):
        for later in range(index, len(self.blocks)):
            tokens = self._block(later, tokens, self.inputs[later][number])
        reference = self.inputs[-1][number]
        if self.is_normed_behind:
            features = _frozen_norm(self.head_layers[0], self.read(tokens), self.read(reference[None]))
        else:
            features = self.read(_frozen_norm(self.model.get_layer("Transformer/encoder_norm"), tokens, reference))
        return _dense(self.head_layers[-1], features) @ weights


@cache
def plain(kind):
    return ReadVit(kind)


@cache
def trace_of(kind):
    return traced(kind).trace(tf.constant(IMAGES, tf.float32))


def weights_of(kind):
    return target_weights_of(plain(kind).logits(plain(kind).inputs[-1]))["roses"]


@pytest.mark.parametrize("kind", NAMES)
def test_logits_are_those_of_the_plain_model(kind):
    np.testing.assert_allclose(trace_of(kind).logits, plain(kind).logits(plain(kind).inputs[-1]), atol=1e-5)
    np.testing.assert_allclose(trace_of(kind).readout_row, plain(kind).row, atol=1e-7)


@pytest.mark.parametrize("kind", NAMES)
def test_the_row_that_is_followed_is_that_of_the_readout(kind):
    model, trace = plain(kind), trace_of(kind)
    attentions = [model.run_block(index, model.inputs[index])[1].mean(axis=1) for index in range(3)]
    product = np.eye(model.num_prefix + PATCHES)
    for attention in attentions:
        product = (attention + np.eye(len(model.row))) / 2 @ product
    np.testing.assert_allclose(rollout(trace), (model.row @ product)[:, model.num_prefix :], atol=1e-6)
    last = (model.row @ attentions[-1])[:, model.num_prefix :]
    np.testing.assert_allclose(last_attention(trace), last, atol=1e-6)


@pytest.mark.parametrize("kind", NAMES)
def test_gradient_weighted_attention_by_finite_differences(kind):
    model, weights = plain(kind), weights_of(kind)
    num_tokens = model.num_prefix + PATCHES
    expected, derivatives = [], []
    for number in range(len(IMAGES)):
        relevance = np.eye(num_tokens)
        for block in range(3):
            stored = model.inputs[block][number : number + 1]

            def score(shift, block=block, stored=stored, number=number):
                tokens, _ = model.run_block(block, stored, attention_shift=shift)
                return model.logits(model.run_from(block + 1, tokens)) @ weights[number]

            derivative = differences((NUM_HEADS, num_tokens, num_tokens), score)
            derivatives.append(derivative)
            attention = model.run_block(block, stored)[1][0]
            relevance += np.maximum(derivative * attention, 0).mean(axis=0) @ relevance
        expected.append((model.row @ (relevance - np.eye(num_tokens)))[model.num_prefix :])
    images = tf.constant(IMAGES, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        trace = traced(kind).trace(images)
        score = tf.reduce_sum(trace.logits * tf.constant(weights, tf.float32))
    gradients = Gradients(tape.gradient(score, list(trace.attentions)))
    by_block = [np.stack(derivatives[block::3]) for block in range(3)]
    for found, wanted in zip(gradients.attentions, by_block, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(grad_attention(trace, gradients), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", NAMES)
def test_the_frozen_backward_pass_by_differences_of_an_affine_network(kind):
    model, weights, trace = plain(kind), weights_of(kind), trace_of(kind)
    frozen = traced(kind).freeze()(trace, tf.constant(weights, tf.float32))
    size = (model.num_prefix + PATCHES) * HIDDEN
    units = np.concatenate([np.zeros((1, size)), np.eye(size)]).reshape(-1, model.num_prefix + PATCHES, HIDDEN)
    for index in (0, 2):
        for number in range(len(IMAGES)):
            at_zero, *others = model.scores(index, units, number, weights[number])
            derivative = (np.array(others) - at_zero).reshape(-1, HIDDEN)
            np.testing.assert_allclose(frozen.at_inputs[index][number], derivative, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(frozen.constants[index][number], at_zero, rtol=1e-4, atol=1e-5)
    assert completeness_error(trace, frozen).numpy().max() < 1e-4


def test_legrad_reads_each_block_as_the_head_reads():
    kind = NAMES[2]
    trace = trace_of(kind)
    logits = traced(kind).readout(trace.block_outputs[-1], "head")
    np.testing.assert_allclose(logits, trace.logits, atol=1e-6)
    ones = Gradients([tf.ones_like(attention) for attention in trace.attentions])
    np.testing.assert_allclose(legrad(trace, ones), np.full((2, PATCHES), 3.0))


def test_the_readout_is_not_the_class_token_in_disguise():
    assert isinstance(plain(NAMES[0]), PlainVit)
    maps = [rollout(trace_of(kind)).numpy() for kind in NAMES]
    assert all(np.ptp(values, axis=1).min() > 1e-3 for values in maps)
    first = trace_of(NAMES[0])
    assert np.abs(rollout(first) - rollout(first._replace(readout_row=None))).max() > 1e-2
