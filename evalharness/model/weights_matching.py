"""Lays a weights file beside a model: which array goes into which variable, or why it does not fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h5py

from evalharness.errors import WeightsError
from evalharness.model.backbone import Backbone, head_layers, layer_paths, role_of, snake_case
from evalharness.model.stored_weights import StoredLayer, StoredWeights, kind_of
from evalharness.records import WeightsSource

if TYPE_CHECKING:
    import tensorflow as tf

MAX_LISTED = 8


@dataclass
class Matching:
    """Pairs that fit, and every difference in words."""

    pairs: list[tuple["tf.Variable", h5py.Dataset]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def add(self, name: str, variable: "tf.Variable", array: h5py.Dataset) -> None:
        """Takes a pair, or notes that its shapes differ."""
        expected, got = tuple(variable.shape), tuple(array.shape)
        if expected == got:
            self.pairs.append((variable, array))
        else:
            self.differences.append(f"{name}: expected shape {expected}, the file has {got}")


def match_weights(
    model: "tf.keras.Model",
    backbone: Backbone,
    stored: StoredWeights,
    source: WeightsSource,
    *,
    is_backbone_only: bool = False,
) -> list[tuple["tf.Variable", h5py.Dataset]]:
    """Pairs every variable of the model with its array, without touching the model.

    Args:
        model: The whole model.
        backbone: Its backbone, whose weights go by canonical name; head layers go by order, kind and shape.
        stored: The open file.
        source: Named in the message.
        is_backbone_only: Leaves the head as it is, whether or not the file has one.

    Raises:
        WeightsError: The file does not fit; names the layers, the shapes and the likely cause.
    """
    matching = Matching()
    variables = backbone.variables()
    for name, variable in variables.items():
        if name in stored.backbone:
            matching.add(name, variable, stored.backbone[name])
        else:
            matching.differences.append(f"{name}: not in the file")
    matching.differences += [f"{name}: not in the model" for name in stored.backbone if name not in variables]
    num_heads = int(backbone.blocks[0].num_heads)
    if stored.num_heads - {num_heads}:
        listed_heads = ", ".join(map(str, sorted(stored.num_heads)))
        matching.differences.append(f"num_heads is {listed_heads} in the file's own config, the config has {num_heads}")
    layers = [] if is_backbone_only else head_layers(model, backbone)
    partners = [] if is_backbone_only else _partners(layers, layer_paths(model), stored)
    if partners is None:
        expected, got = ", ".join(map(_kind, layers)), ", ".join(layer.kind for layer in stored.head)
        by_name = ", ".join(layer.name for layer in stored.head if not layer.is_placed)
        hint = f" ({by_name}: found by name only)" if by_name else ""
        matching.differences.append(f"head: expected layers {expected or 'none'}, the file has {got or 'none'}{hint}")
    for layer, partner in zip(layers, partners or (), strict=False):
        _match_layer(layer, partner, matching)
    if matching.differences:
        listed = matching.differences[:MAX_LISTED]
        more = len(matching.differences) - len(listed)
        lines = "".join(f"\n  {line}" for line in listed) + (f"\n  and {more} more" if more else "")
        raise WeightsError(
            f"weights do not fit the model ({source.path}):{lines}\n",
            fix=_likely_cause(backbone, layers, stored, has_same_kinds=partners is not None),
        )
    return matching.pairs


def _partners(
    layers: Sequence["tf.keras.layers.Layer"], paths: Mapping[int, str], stored: StoredWeights
) -> list[StoredLayer] | None:
    """The stored layer of each layer of the head; None if their kinds or their number differ."""
    if len(layers) != len(stored.head):
        return None
    if stored.is_head_ordered:
        is_same = all(partner.kind in _kinds(layer) for layer, partner in zip(layers, stored.head, strict=True))
        return list(stored.head) if is_same else None
    by_path = {partner.name: partner for partner in stored.head}
    if all(paths[id(layer)] in by_path for layer in layers):
        return [by_path[paths[id(layer)]] for layer in layers]
    waiting, partners = list(stored.head), []
    for layer in layers:
        fitting = [
            partner
            for partner in waiting
            if partner.kind in _kinds(layer) and (partner.is_placed or partner.name == layer.name)
        ]
        if not fitting:
            return None
        # A layer of a nested model that has a name of its own is found by it.
        partners.append(min(fitting, key=lambda partner: partner.is_placed))
        waiting.remove(partners[-1])
    return partners


def _match_layer(layer: "tf.keras.layers.Layer", partner: StoredLayer, matching: Matching) -> None:
    # Without names, the order is that of the layer itself, whatever was frozen.
    ordered = [*layer._trainable_weights, *layer._non_trainable_weights]
    for index, variable in enumerate(ordered):
        key = str(index) if str(index) in partner.arrays else role_of(variable)
        name = f"head layer {layer.name}/{role_of(variable)}"
        if key in partner.arrays:
            matching.add(name, variable, partner.arrays[key])
        else:
            matching.differences.append(f"{name}: not in the file's layer {partner.name}")
    if len(partner.arrays) > len(ordered):
        matching.differences.append(f"head layer {layer.name}: the file's layer {partner.name} has more weights")


def _kind(layer: "tf.keras.layers.Layer") -> str:
    return snake_case(type(layer).__name__)


def _kinds(layer: "tf.keras.layers.Layer") -> set[str]:
    """A file names the layer's class, or only its weights."""
    return {_kind(layer), kind_of(map(role_of, layer.variables))}


def _likely_cause(
    backbone: Backbone, layers: Sequence["tf.keras.layers.Layer"], stored: StoredWeights, *, has_same_kinds: bool
) -> str:
    """One sentence on what most likely differs, from the shapes that tell it."""
    cause = _backbone_cause(backbone, stored)
    if cause is not None:
        return cause
    if not stored.head and layers:
        return "The file holds a backbone without a head (before fine-tuning?): use the weights of the whole model"
    columns = _last_columns(stored)
    units = int(layers[-1].variables[-1].shape[-1]) if layers else None
    if columns is not None and units is not None and columns != units and has_same_kinds:
        return (
            f"The file was trained for {columns} classes, the config has {units}: set model.classes to the "
            f"{columns} names in the order of training"
        )
    return "The head differs: choose model/head=... or list model.head as it was in training"


def _backbone_cause(backbone: Backbone, stored: StoredWeights) -> str | None:
    expected = {name: tuple(variable.shape) for name, variable in backbone.variables().items()}
    if stored.num_layers != len(backbone.blocks):
        return (
            f"Another backbone: the file has {stored.num_layers} transformer blocks, the model {len(backbone.blocks)}"
        )
    telling = (
        ("patch size", "embedding/kernel", 0),
        ("hidden size", "embedding/kernel", -1),
        ("mlp_dim", "encoderblock_0/Dense_0/kernel", -1),
        ("number of positions", "posembed_input/pos_embedding", 1),
    )
    for measure, name, axis in telling:
        if name not in stored.backbone or stored.backbone[name].shape[axis] == expected[name][axis]:
            continue
        got = stored.backbone[name].shape[axis]
        if measure == "number of positions":
            return _image_size_cause(got - backbone.num_prefix_tokens, backbone)
        return f"Another backbone: the file's {measure} is {got}, the model's {expected[name][axis]}"
    if stored.num_heads - {int(backbone.blocks[0].num_heads)}:
        return f"Set model.num_heads={min(stored.num_heads)}, as in training: weights fit any number of heads"
    return None


def _image_size_cause(num_patches: int, backbone: Backbone) -> str:
    side = math.isqrt(num_patches)
    height, width = backbone.image_size
    model_size = height if height == width else f"[{height},{width}]"
    if side * side == num_patches:
        return f"Another image size: set model.image_size={side * backbone.patch_size} (the model has {model_size})"
    return f"Another image size: the file's has {num_patches} patches (model.image_size is {model_size})"


def _last_columns(stored: StoredWeights) -> int | None:
    dense = [layer for layer in stored.head if layer.kind == "dense"]
    if not dense:
        return None
    kernel = dense[-1].arrays.get("kernel", dense[-1].arrays.get("0"))
    return None if kernel is None else int(kernel.shape[-1])
