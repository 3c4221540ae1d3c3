"""Builds the Keras model that the config describes: a vit-keras backbone and a head, or the user's own."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evalharness.config import CUSTOM_SIZES, HeadLayer, ModelConfig
from evalharness.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import tensorflow as tf


def build_keras_model(config: ModelConfig, *, num_classes: int) -> "tf.keras.Model":
    """Builds the model with fresh weights.

    Args:
        config: The `model` section.
        num_classes: Width of a dense head layer whose `units` is `classes`.

    Returns:
        A Sequential of backbone and head, or what `model.builder` returns.

    Raises:
        ConfigError: The builder cannot be found, or the head has an unknown activation.
        ModelError: The builder failed or returned something else.
    """
    import tensorflow as tf

    if config.builder:
        with precision_policy(config.precision):
            return _call_builder(config.builder, config.builder_args)
    with precision_policy(config.precision):
        backbone = _build_backbone(config)
    # The head is small: it stays in float32, so that probabilities keep their precision.
    head = [_head_layer(layer, num_classes, index) for index, layer in enumerate(config.head)]
    return tf.keras.Sequential([backbone, *head], name="vision_transformer")


@contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Layers that are built while the context lasts compute in `float32`, or in `bfloat16`."""
    import tensorflow as tf

    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def _build_backbone(config: ModelConfig) -> "tf.keras.Model":
    from vit_keras import vit

    if config.backbone == "custom":
        sizes = {name: getattr(config, name) for name in CUSTOM_SIZES}
        return vit.build_model(image_size=config.image_size, name="custom", classes=0, include_top=False, **sizes)
    build = {"vit_b16": vit.vit_b16, "vit_b32": vit.vit_b32, "vit_l16": vit.vit_l16, "vit_l32": vit.vit_l32}
    patch_size = int(config.backbone[-2:])
    if any(side % patch_size for side in config.image_size):
        raise ConfigError(
            "image size does not fit the backbone", expected=f"a multiple of the patch size {patch_size}",
            got=" x ".join(map(str, config.image_size)), where="model.image_size",
        )  # fmt: skip
    return build[config.backbone](
        image_size=config.image_size, include_top=False, pretrained=False, pretrained_top=False
    )


def _head_layer(layer: HeadLayer, num_classes: int, index: int) -> "tf.keras.layers.Layer":
    from tensorflow.keras import layers

    match layer.layer:
        case "flatten":
            return layers.Flatten()
        case "batch_normalization":
            return layers.BatchNormalization(epsilon=layer.epsilon, dtype="float32")
        case "layer_normalization":
            return layers.LayerNormalization(epsilon=layer.epsilon, dtype="float32")
        case "dropout":
            return layers.Dropout(layer.rate)
        case "activation":
            return layers.Activation(_activation(layer.activation, index), dtype="float32")
        case "dense":
            units = num_classes if layer.units == "classes" else layer.units
            return layers.Dense(units, activation=_activation(layer.activation, index), dtype="float32")


def _activation(name: str | None, index: int) -> object:
    import tensorflow as tf

    if name == "tfa_gelu":
        import tensorflow_addons as tfa

        return tfa.activations.gelu
    try:
        return tf.keras.activations.get(name)
    except ValueError as error:
        raise ConfigError(
            "unknown activation",
            expected="tfa_gelu, or a Keras activation such as gelu, relu, softmax",
            got=name,
            where=f"model.head[{index}].activation",
        ) from error


def _call_builder(dotted: str, arguments: dict[str, object]) -> "tf.keras.Model":
    import tensorflow as tf

    module_name, _, function_name = dotted.rpartition(".")
    sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            "model builder cannot be imported",
            expected="package.module.function",
            got=f"{dotted} ({error})",
            where="model.builder",
            fix="Run from the folder that holds the package, or install it",
        ) from error
    finally:
        sys.path.pop(0)
    try:
        model = function(**arguments)
    except Exception as error:
        raise ModelError(
            "model builder failed",
            got=f"{type(error).__name__}: {error}",
            where=f"model.builder={dotted}",
            fix="Check model.builder_args",
        ) from error
    if not isinstance(model, tf.keras.Model):
        raise ModelError(
            "model builder returned no Keras model", got=type(model).__name__, where=f"model.builder={dotted}"
        )
    return model
