"""Tiny real ViTs for the tests of the model stage, built with Keras and vit-keras alone, and loaded cheaply."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons", category=UserWarning)

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_addons as tfa  # noqa: E402
from vit_keras import vit  # noqa: E402
from vit_keras.layers import TransformerBlock  # noqa: E402

from evalharness.config import ModelConfig  # noqa: E402
from evalharness.model import architecture, build_keras_model, load_model, resolve_weights  # noqa: E402
from evalharness.records import VisionTransformer  # noqa: E402

BUILD_BACKBONE = architecture._build_backbone
CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SIZES = {"image_size": 32, "patch_size": 8, "num_layers": 4, "hidden_size": 16, "num_heads": 2, "mlp_dim": 24}
SMALL = SIZES | {"num_layers": 1}
NOTEBOOK_HEAD = (
    {"layer": "flatten"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": 21, "activation": "tfa_gelu"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": "classes", "activation": "softmax"},
)
SOFTMAX_HEAD = ({"layer": "dense", "units": "classes", "activation": "softmax"},)
FILES = {"h5": "run.h5", "h5-model": "model.h5", "weights.h5": "run.weights.h5", "keras": "run.keras"}
"""A file name of each layout."""


def images(number: int = 3, size: tuple[int, int] = (32, 32), seed: int = 7) -> np.ndarray:
    """Smooth and noisy RGB of 0 to 255."""
    generator = np.random.default_rng(seed)
    tints = generator.uniform(0, 200, (number, 1, 1, 3))
    return (tints + generator.uniform(0, 55, (number, *size, 3))).astype(np.float32)


def scaled(pixels: np.ndarray) -> np.ndarray:
    """What `vit` preprocessing means, in NumPy."""
    return (pixels / 127.5 - 1).astype(np.float32)


def backbone(**sizes: object) -> tf.keras.Model:
    return vit.build_model(name="custom", classes=0, include_top=False, **{**SIZES, **sizes})


def notebook_layers(num_classes: int = 5, gelu: object = tfa.activations.gelu) -> list[tf.keras.layers.Layer]:
    layers = tf.keras.layers
    return [
        layers.Flatten(),
        layers.BatchNormalization(),
        layers.Dense(21, activation=gelu),
        layers.BatchNormalization(),
        layers.Dense(num_classes, "softmax"),
    ]


def notebook_model(num_classes: int = 5, gelu: object = tfa.activations.gelu, seed: int = 1, **sizes: object) -> Any:
    """Backbone and the notebook's head, with weights that show when they are mixed up."""
    model = tf.keras.Sequential([backbone(**sizes), *notebook_layers(num_classes, gelu)])
    fill(model, seed)
    return model


def fill(model: tf.keras.Model, seed: int) -> None:
    """Random values in every weight, moving statistics and scales of norms included."""
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        role = variable.name.split(":")[0].rsplit("/", 1)[-1]
        if not variable.dtype.is_floating:
            continue
        if role in ("moving_variance", "variance", "gamma"):
            values = generator.uniform(0.5, 1.5, variable.shape)
        elif role == "kernel":
            values = generator.normal(0, 1.5 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape)
        else:
            values = generator.normal(0, 0.4, variable.shape)
        variable.assign(values)
    settle(model)


def settle(model: tf.keras.Model) -> None:
    """A Normalization layer reads its weights when it is told to."""
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.Normalization):
            layer.finalize_state()


def probs_of(model: tf.keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The model's output by Keras alone."""
    return model(tf.constant(inputs), training=False).numpy()


def save(model: tf.keras.Model, folder: Path, layout: str) -> Path:
    """Saves the model as Keras writes each layout."""
    path = folder / FILES[layout]
    if layout in ("h5", "weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def blocks_of(model: tf.keras.Model) -> list[TransformerBlock]:
    holder = model if any(isinstance(layer, TransformerBlock) for layer in model.layers) else model.layers[0]
    return [layer for layer in holder.layers if isinstance(layer, TransformerBlock)]


def freeze(model: tf.keras.Model, pattern: str) -> None:
    """Sets which layers of backbone and head are trainable."""
    model.trainable = True
    vit_model, blocks = model.layers[0], blocks_of(model)
    if pattern == "all frozen":
        model.trainable = False
    elif pattern == "all but the last two blocks frozen":
        for layer in vit_model.layers:
            layer.trainable = layer in blocks[-2:]
    elif pattern == "first half and encoder_norm frozen":
        for layer in [*blocks[: len(blocks) // 2], vit_model.get_layer("Transformer/encoder_norm")]:
            layer.trainable = False
    elif pattern == "parts of blocks and of the head frozen":
        for block in blocks[::2]:
            block.att.trainable = False
            block.layernorm2.trainable = False
        vit_model.get_layer("class_token").trainable = False
        blocks[-1].mlpblock.layers[0].trainable = False
        model.layers[2].trainable = False
    elif pattern != "all trainable":
        raise ValueError(pattern)


class Loader:
    """`load_model` as the pipeline calls it, except that equal backbones and equal models are built once.

    Every weight is scrambled before a file is read, so that none can be right by accident.
    """

    def __init__(self) -> None:
        self._built: dict[str, tf.keras.Model] = {}
        self._backbones: dict[str, tf.keras.Model] = {}
        self.model: tf.keras.Model | None = None
        """The last model handed out."""
        self.scrambled: list[np.ndarray] = []
        """Its weights before the file was read."""

    def config(self, **settings: object) -> ModelConfig:
        given = {"weights": "unused", "preprocessing": "vit", "backbone": "custom", "image_size": 32} | settings
        if not given.keys() & {"builder"} and given["backbone"] == "custom":
            given = {"head": NOTEBOOK_HEAD} | SIZES | given
        return ModelConfig.model_validate(given)

    def load(self, path: Path | str, *, classes: Sequence[str] = CLASSES, **settings: object) -> VisionTransformer:
        source = resolve_weights(str(path), tracking_uri="", cache_dir=Path("cache"))
        with mock.patch("evalharness.model.load.build_keras_model", self._build):
            return load_model(self.config(**settings), classes=classes, source=source)

    def build(self, num_classes: int = 5, **settings: object) -> tf.keras.Model:
        """The model that `load` fills for these settings, to be saved first where another one would take too long."""
        return self._build(self.config(**settings), num_classes=num_classes)

    def _build(self, config: ModelConfig, *, num_classes: int) -> tf.keras.Model:
        told = config.model_dump_json(exclude={"weights", "preprocessing", "output", "classes"})
        key = f"{told} {num_classes}"
        if key not in self._built:
            with mock.patch.object(architecture, "_build_backbone", self._backbone):
                self._built[key] = build_keras_model(config, num_classes=num_classes)
        self.model = self._built[key]
        fill(self.model, seed=99)
        self.scrambled = [variable.numpy() for variable in self.model.variables]
        return self.model

    def _backbone(self, config: ModelConfig) -> tf.keras.Model:
        key = str([getattr(config, name) for name in (*SIZES, "precision")])
        if key not in self._backbones:
            self._backbones[key] = BUILD_BACKBONE(config)
        return self._backbones[key]
