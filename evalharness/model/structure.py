"""The model's structure as a short table: equal blocks told once."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.records import VisionTransformer

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class LayerSummary:
    """One line of the table."""

    name: str
    kind: str
    output_shape: str
    num_params: int


def describe_model(model: VisionTransformer) -> list[LayerSummary]:
    """Every layer of backbone and head in order; a run of transformer blocks is one line.

    Args:
        model: The loaded model.

    Returns:
        Names, classes, output shapes without the batch axis, and numbers of parameters.
    """
    lines: list[LayerSummary] = []
    blocks: list[tf.keras.layers.Layer] = []
    for layer in _layers(model.keras_model):
        if type(layer).__name__ == "TransformerBlock":
            blocks.append(layer)
            continue
        if blocks:
            lines.append(_blocks_line(blocks))
            blocks = []
        lines.append(LayerSummary(layer.name, type(layer).__name__, _shape(layer.output_shape), layer.count_params()))
    return lines


def _layers(model: "tf.keras.Model") -> "list[tf.keras.layers.Layer]":
    layers = []
    for layer in model.layers:
        layers += _layers(layer) if hasattr(layer, "layers") else [layer]
    return layers


def _blocks_line(blocks: "list[tf.keras.layers.Layer]") -> LayerSummary:
    names = blocks[0].name if len(blocks) == 1 else f"{blocks[0].name} … {blocks[-1].name.rsplit('_', 1)[-1]}"
    num_params = sum(block.count_params() for block in blocks)
    shape = _shape(blocks[0].output_shape[0])
    return LayerSummary(names, f"{len(blocks)} x TransformerBlock", shape, num_params)


def _shape(shape: object) -> str:
    while isinstance(shape, list):
        shape = shape[0]
    return " x ".join(map(str, shape[1:])) if isinstance(shape, tuple) else str(shape)
