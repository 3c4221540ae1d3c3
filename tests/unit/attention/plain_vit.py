"""A second, slow implementation of vit-keras' transformer in NumPy and double precision, differentiated by differences.

It shares the weights of a real vit-keras model and nothing else with the package. Every step can be run from a stored
input, with something added to its attention or to the output of its first norm.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf
from scipy.special import erf, softmax
from vit_keras import layers, vit

from evalharness.attention import map_specs
from evalharness.config import AttentionConfig
from evalharness.inference import ForwardPass
from evalharness.model.backbone import find_backbone
from evalharness.model.tracing import TracedModel
from evalharness.records import BatchOutput, VisionTransformer, WeightsSource

CLASSES = ("daisy", "roses", "tulips")
IMAGE_SIZE, PATCH_SIZE, NUM_HEADS = (12, 8), 4, 2
STEP = 1e-5
IMAGES = np.random.default_rng(3).integers(0, 256, (2, *IMAGE_SIZE, 3)).astype(np.uint8)
LABELS = np.array([0, 2])

Tokens = np.ndarray
"""(N, T, D)."""


@cache
def double_vit() -> tf.keras.Model:
    """A real ViT in double precision with large random weights; its head has a tanh layer before the logits."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float64")
    try:
        tf.keras.utils.set_random_seed(7)
        model = vit.build_model(
            image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, num_layers=3, hidden_size=8, num_heads=NUM_HEADS, mlp_dim=12,
            name="double", classes=len(CLASSES), include_top=True, activation="linear", representation_size=6,
        )  # fmt: skip
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
    for variable in model.trainable_variables:
        # Large enough for attention that differs between tokens.
        variable.assign(tf.cast(tf.random.normal(variable.shape, stddev=0.6), variable.dtype))
    return model


@cache
def traced_double_vit() -> TracedModel:
    model = double_vit()
    return TracedModel(model, find_backbone(model), preprocessing="vit", output="logits")


@cache
def double_output() -> BatchOutput:
    """What the package itself makes of `IMAGES`: every class-specific map that one backward pass gives."""
    traced = traced_double_vit()
    loaded = VisionTransformer(
        trace=traced.trace, readout=traced.readout, freeze=traced.freeze, predict_probs=traced.predict_probs,
        classes=CLASSES, preprocessing="vit", image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, num_layers=3,
        num_heads=NUM_HEADS, hidden_size=8, weights=WeightsSource("", Path(), "", "h5"), backbone_sha256="",
        architecture={}, device="CPU",
    )  # fmt: skip
    methods = [
        {"method": method, "target": target}
        for method in ("grad_attention", "legrad", "grad_cam")
        for target in ("daisy", "roses", "contrast")
    ]
    variants = [
        {"method": "legrad", "name": "at_cls", "target": "roses", "options": {"readout": "cls"}},
        {"method": "grad_attention", "name": "late", "target": "roses", "options": {"start_layer": 1}},
    ]
    forward = ForwardPass(loaded, map_specs(AttentionConfig(methods=[*methods, *variants]), CLASSES))
    tf.config.run_functions_eagerly(True)  # Compiling takes many times longer than two small images.
    try:
        return forward(IMAGES, LABELS, ["first", "second"])
    finally:
        tf.config.run_functions_eagerly(False)


def raw_map(map_id: str) -> np.ndarray:
    """The package's raw map of each image (B, P), from its density and its sum."""
    output = double_output()
    density = output.densities[map_id].reshape(len(IMAGES), -1)
    return density * output.map_sums[map_id][:, None] / density.shape[1]


class PlainVit:
    """The forward pass in steps."""

    def __init__(self) -> None:
        self.model = double_vit()
        self.blocks = [layer for layer in self.model.layers if isinstance(layer, layers.TransformerBlock)]

    def block_inputs(self) -> list[Tokens]:
        """The input of every block for `IMAGES`, and the last block's output."""
        pixels = (IMAGES.astype(np.float32) / np.float32(127.5) - 1).astype(np.float64)
        kernel, bias = _numbers(self.model.get_layer("embedding"))
        patches = [
            np.einsum("nhwc,hwcd->nd", pixels[:, y : y + PATCH_SIZE, x : x + PATCH_SIZE], kernel) + bias
            for y in range(0, IMAGE_SIZE[0], PATCH_SIZE)
            for x in range(0, IMAGE_SIZE[1], PATCH_SIZE)
        ]
        class_token = np.broadcast_to(self.model.get_layer("class_token").cls.numpy()[0, 0], patches[0].shape)
        tokens = np.stack([class_token, *patches], axis=1)
        inputs = [tokens + self.model.get_layer("Transformer/posembed_input").pe.numpy()]
        for index in range(len(self.blocks)):
            inputs.append(self.run_block(index, inputs[-1])[0])
        return inputs

    def first_norm(self, index: int, inputs: Tokens) -> Tokens:
        return _layer_norm(self.blocks[index].layernorm1, inputs)

    def run_block(
        self, index: int, inputs: Tokens, *, attention_shift: object = 0.0, norm_shift: object = 0.0
    ) -> tuple[Tokens, np.ndarray]:
        """One block from its stored input: output (N, T, D) and attention (N, H, T, T)."""
        block = self.blocks[index]
        normalized = self.first_norm(index, inputs) + norm_shift
        query, key, value = (
            _heads(_dense(layer, normalized))
            for layer in (block.att.query_dense, block.att.key_dense, block.att.value_dense)
        )
        scores = query @ key.swapaxes(-1, -2) / np.sqrt(query.shape[-1])
        attention = softmax(scores, axis=-1) + attention_shift
        mixed = (attention @ value).swapaxes(1, 2)
        tokens = inputs + _dense(block.att.combine_heads, mixed.reshape(*mixed.shape[:2], -1))
        first, second = (layer for layer in block.mlpblock.layers if isinstance(layer, tf.keras.layers.Dense))
        hidden = _dense(first, _layer_norm(block.layernorm2, tokens))
        return tokens + _dense(second, hidden * (1 + erf(hidden / np.sqrt(2))) / 2), attention

    def run_from(self, index: int, tokens: Tokens) -> Tokens:
        """The last block's output from the input of block `index`."""
        for later in range(index, len(self.blocks)):
            tokens = self.run_block(later, tokens)[0]
        return tokens

    def logits(self, tokens: Tokens, readout: str = "cls") -> np.ndarray:
        """Logits (N, C) of the head on the final norm of any block's output."""
        normalized = _layer_norm(self.model.get_layer("Transformer/encoder_norm"), tokens)
        pooled = normalized[:, 0] if readout == "cls" else normalized.mean(axis=1)
        return _dense(self.model.get_layer("head"), np.tanh(_dense(self.model.get_layer("pre_logits"), pooled)))


def target_weights_of(logits: np.ndarray) -> dict[str, np.ndarray]:
    """By target, the weights (B, C) that make the score of each of `IMAGES`."""
    one = np.eye(len(CLASSES))
    contrast = []
    for row, label in zip(logits, LABELS, strict=True):
        best, second, _ = np.argsort(row)[::-1]
        contrast.append(one[best] - one[second if best == label else label])
    return {"daisy": one[[0, 0]], "roses": one[[1, 1]], "contrast": np.array(contrast)}


def differences(shape: tuple[int, ...], score: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Central finite differences of a score (N,) with respect to every entry of a shift (N, *shape), around zero."""
    size = int(np.prod(shape))
    shifts = STEP * np.eye(size).reshape(size, *shape)
    return ((score(shifts) - score(-shifts)) / (2 * STEP)).reshape(shape)


def _numbers(layer: tf.keras.layers.Layer) -> list[np.ndarray]:
    return [np.asarray(values, np.float64) for values in layer.get_weights()]


def _dense(layer: tf.keras.layers.Layer, values: np.ndarray) -> np.ndarray:
    kernel, bias = _numbers(layer)
    return values @ kernel + bias


def _layer_norm(layer: tf.keras.layers.Layer, values: np.ndarray) -> np.ndarray:
    gamma, beta = _numbers(layer)
    centred = values - values.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) + beta


def _heads(values: np.ndarray) -> np.ndarray:
    return values.reshape(*values.shape[:2], NUM_HEADS, -1).swapaxes(1, 2)
