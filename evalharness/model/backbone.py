"""Finds the vit-keras backbone inside a Keras model and names its variables."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.errors import ModelError
from evalharness.model.readout import Readout, readout_of

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass(frozen=True)
class Backbone:
    """The parts of a vit-keras model that the harness reads."""

    model: "tf.keras.Model"
    """The functional model that holds the blocks: the whole model, or one of its layers."""
    embedding: "tf.keras.layers.Layer"
    blocks: tuple["tf.keras.layers.Layer", ...]
    encoder_norm: "tf.keras.layers.Layer"
    extract_token: "tf.keras.layers.Layer"

    @property
    def patch_size(self) -> int:
        """In pixels."""
        return int(self.embedding.kernel_size[0])

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        _, height, width, _ = self.model.input_shape
        return int(height), int(width)

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens before those of the patches: positions that no patch has."""
        return int(self._layer("AddPositionEmbs").pe.shape[1]) - self._num_patches

    @property
    def hidden_size(self) -> int:
        """Width of a token."""
        return int(self.embedding.filters)

    @property
    def readout(self) -> Readout:
        """What the head reads: vit-keras's own models read the class token."""
        own = getattr(self.extract_token, "readout", None)
        if isinstance(own, Readout):
            return own
        return readout_of("cls", num_prefix_tokens=self.num_prefix_tokens, num_patches=self._num_patches)

    def variables(self) -> dict[str, "tf.Variable"]:
        """Every weight of the backbone by canonical name (see `stored_weights`)."""
        named = {
            "class_token/cls": self._layer("ClassToken", "PrefixTokens").cls,
            "posembed_input/pos_embedding": self._layer("AddPositionEmbs").pe,
        }
        owners = {"embedding": self.embedding, "encoder_norm": self.encoder_norm}
        for index, block in enumerate(self.blocks):
            attention, (first, second) = block.att, _dense_layers(block.mlpblock)
            parts = {
                "query": attention.query_dense, "key": attention.key_dense, "value": attention.value_dense,
                "out": attention.combine_heads, "Dense_0": first, "Dense_1": second,
                "LayerNorm_0": block.layernorm1, "LayerNorm_2": block.layernorm2,
            }  # fmt: skip
            owners |= {f"encoderblock_{index}/{name}": layer for name, layer in parts.items()}
        for owner, layer in owners.items():
            named |= {f"{owner}/{role_of(variable)}": variable for variable in layer.variables}
        return named

    @property
    def _num_patches(self) -> int:
        height, width = self.image_size
        return (height // self.patch_size) * (width // self.patch_size)

    def _layer(self, *class_names: str) -> "tf.keras.layers.Layer":
        return next(layer for layer in self.model.layers if type(layer).__name__ in class_names)


def find_backbone(model: "tf.keras.Model") -> Backbone:
    """Finds the one functional model of vit-keras in a Keras model: itself, or one of its layers.

    Raises:
        ModelError: There is none, or more than one, or it is nested deeper.
    """
    from vit_keras.layers import TransformerBlock

    holders = [
        candidate
        for candidate in (model, *model.layers)
        if any(isinstance(layer, TransformerBlock) for layer in getattr(candidate, "layers", ()))
    ]
    if len(holders) != 1:
        raise ModelError(
            "model cannot be evaluated", expected="one vit-keras backbone, the model itself or one of its layers",
            got=f"{len(holders)} of them", where="model.builder",
        )  # fmt: skip
    (holder,) = holders
    blocks = tuple(layer for layer in holder.layers if isinstance(layer, TransformerBlock))
    position = holder.layers.index(blocks[-1])
    encoder_norm, extract_token = holder.layers[position + 1 : position + 3]
    return Backbone(holder, holder.get_layer("embedding"), blocks, encoder_norm, extract_token)


def head_layers(model: "tf.keras.Model", backbone: Backbone) -> list["tf.keras.layers.Layer"]:
    """Every layer with weights that is not of the backbone proper, in the order of the model."""
    own = {id(variable) for variable in backbone.variables().values()}
    return [
        layer
        for layer in leaves(model)
        if layer.variables and not any(id(variable) in own for variable in layer.variables)
    ]


def layer_paths(model: "tf.keras.Model", parent: str = "") -> dict[int, str]:
    """Where `.weights.h5` and `.keras` keep each layer: layers of one class are numbered in order, within their model.

    Args:
        model: The whole model.
        parent: Path of the model itself.

    Returns:
        Paths such as `layers/sequential/layers/dense_1`, by the `id` of the layer.
    """
    paths: dict[int, str] = {}
    counts: Counter[str] = Counter()
    for layer in model.layers:
        name = snake_case(type(layer).__name__)
        number = counts[name]
        counts[name] += 1
        paths[id(layer)] = f"{parent}layers/{name}_{number}" if number else f"{parent}layers/{name}"
        if hasattr(layer, "layers"):
            paths |= layer_paths(layer, f"{paths[id(layer)]}/")
    return paths


def snake_case(class_name: str) -> str:
    """A layer's class as Keras writes it in names: `BatchNormalization` becomes `batch_normalization`."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def role_of(variable: "tf.Variable") -> str:
    """`kernel`, `bias`, `gamma`, ...: the last part of a variable's name."""
    return str(variable.name.split(":")[0].rsplit("/", 1)[-1])


def leaves(model: "tf.keras.Model") -> Iterator["tf.keras.layers.Layer"]:
    """Every layer in the order of the model, nested models opened up."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def _dense_layers(mlp: "tf.keras.Model") -> list["tf.keras.layers.Layer"]:
    return [layer for layer in mlp.layers if hasattr(layer, "kernel")]
