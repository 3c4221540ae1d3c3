"""From tensors as PyTorch keeps them to the weights of vit-keras's layers, by canonical name."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from evalharness.errors import WeightsError
from evalharness.model.checkpoints.description import DeferredArray, ModelDescription, StoredPositions, Tensors
from evalharness.model.checkpoints.positions import resample_positions
from evalharness.model.stored_weights import StoredLayer, StoredWeights
from evalharness.records import FloatArray

QKV = ("query", "key", "value")
PARTS = (*QKV, "out", "Dense_0", "Dense_1", "LayerNorm_0", "LayerNorm_2")
SCALES = {"out": "scale_0", "Dense_1": "scale_1"}
"""LayerScale behind a projection: its factor a channel."""
MAX_NAMED = 4
_BLOCK = re.compile(r"encoderblock_(\d+)/")

Make = Callable[[], FloatArray]


def rename(tensors: Tensors, translate: Callable[[str], str | None], path: Path, differs: str) -> Tensors:
    """Gives every tensor its name here: `encoderblock_3/query/weight`, `encoder_norm/bias`, `cls`, `head/weight`, ...

    Args:
        tensors: By name of the file.
        translate: From a name of the file; an empty text for what no forward pass uses, None for what is unknown.
        path: Of the checkpoint.
        differs: How a model with unknown tensors differs, for the message.

    Raises:
        WeightsError: Some tensors have no place in a plain vision transformer.
    """
    names = {name: translate(name) for name in tensors}
    unknown = [name for name, translated in names.items() if translated is None]
    if unknown:
        raise WeightsError(
            f"model is no plain Vision Transformer: {differs}", expected="tensors of its layers alone",
            got=_listed(unknown), where=path,
        )  # fmt: skip
    return {translated: tensors[name] for name, translated in names.items() if translated}


def num_blocks(named: Tensors) -> int:
    """Transformer blocks."""
    return len({found[1] for name in named if (found := _BLOCK.match(name))})


def stored_grid(
    num_positions: int, prefixes: tuple[int, ...], grid_size: tuple[int, int]
) -> tuple[tuple[int, int], int]:
    """The grid of stored positions and how many tokens before the patches have one: the one expected, or a square.

    Args:
        num_positions: In the file.
        prefixes: Numbers of tokens that may have a position, the likeliest first.
        grid_size: Expected patch rows and columns.
    """
    for num_prefix in prefixes:
        if num_positions - num_prefix == math.prod(grid_size):
            return grid_size, num_prefix
    for num_prefix in prefixes:
        side = math.isqrt(max(num_positions - num_prefix, 0))
        if side and side * side == num_positions - num_prefix:
            return (side, side), num_prefix
    return (num_positions - prefixes[0], 1), prefixes[0]


def assemble(named: Tensors, model: ModelDescription, image_size: tuple[int, int] | None, path: Path) -> StoredWeights:
    """The weights of the Keras graph.

    LayerScale is folded into the projection before it, which is exact; two heads that are averaged become one on both
    tokens.

    Args:
        named: By name here.
        model: What the files say.
        image_size: (height, width) in pixels that positions are fitted to; None: as they are stored.
        path: Of the checkpoint.

    Raises:
        WeightsError: A tensor that every Vision Transformer has is missing.
    """
    patch = model.patch_size
    grid = model.positions.grid_size if image_size is None else (image_size[0] // patch, image_size[1] // patch)
    try:
        backbone = {
            "embedding/kernel": _changed(named["embedding/weight"], lambda values: values.transpose(2, 3, 1, 0)),
            "embedding/bias": _bias(named, "embedding"),
            "class_token/cls": _prefix_tokens(named, model),
            "posembed_input/pos_embedding": _positions(named, model, grid),
        }
        for index in range(model.num_layers):
            for part in PARTS:
                backbone |= _part(named, f"encoderblock_{index}", part)
        head = []
        if model.is_normed_before_head:
            head.append(StoredLayer("fc_norm", "layer_normalization", _norm(named, "fc_norm")))
        else:
            backbone |= {f"encoder_norm/{role}": array for role, array in _norm(named, "encoder_norm").items()}
        if "head/weight" in named:
            head.append(StoredLayer("head", "dense", _classifier(named)))
    except KeyError as error:
        raise WeightsError(
            "checkpoint is incomplete", expected=f"{model.num_layers} whole blocks, a norm and an embedding",
            got=f"no tensor for {error.args[0]}", where=path,
        ) from error  # fmt: skip
    return StoredWeights(backbone, tuple(head), is_head_ordered=True)


def _part(named: Tensors, block: str, part: str) -> Mapping[str, DeferredArray]:
    owner = f"{block}/{part}"
    if part.startswith("LayerNorm"):
        return {f"{owner}/{role}": array for role, array in _norm(named, owner).items()}
    weight, bias = _dense(named, block, part)
    if part in SCALES and f"{block}/{SCALES[part]}" in named:
        factors = named[f"{block}/{SCALES[part]}"]
        weight, bias = _times(weight, factors), _times(bias, factors)
    return {f"{owner}/kernel": weight, f"{owner}/bias": bias}


def _dense(named: Tensors, block: str, part: str) -> tuple[DeferredArray, DeferredArray]:
    """Kernel (in, out) and bias (out,); a bias that the model does not have is zero."""
    if part in QKV and f"{block}/qkv/weight" in named:
        place, whole = QKV.index(part), named[f"{block}/qkv/weight"]
        width = whole.shape[0] // len(QKV)
        rows = slice(place * width, (place + 1) * width)
        bias = _bias(named, f"{block}/qkv")
        return (
            DeferredArray((whole.shape[1], width), lambda: np.asarray(whole)[rows].T),
            DeferredArray((width,), lambda: np.asarray(bias)[rows]),
        )
    return _changed(named[f"{block}/{part}/weight"], np.transpose), _bias(named, f"{block}/{part}")


def _bias(named: Tensors, owner: str) -> DeferredArray:
    num_outputs = named[f"{owner}/weight"].shape[0]
    return named.get(f"{owner}/bias", DeferredArray((num_outputs,), lambda: np.zeros(num_outputs, np.float32)))


def _norm(named: Tensors, owner: str) -> Mapping[str, DeferredArray]:
    return {"gamma": named[f"{owner}/weight"], "beta": named[f"{owner}/bias"]}


def _times(array: DeferredArray, factors: DeferredArray) -> DeferredArray:
    return DeferredArray(array.shape, lambda: np.asarray(array) * np.asarray(factors))


def _changed(array: DeferredArray, change: Callable[[FloatArray], FloatArray]) -> DeferredArray:
    shape = change(np.broadcast_to(np.float32(0), array.shape)).shape
    return DeferredArray(shape, lambda: change(np.asarray(array)))


def _prefix_tokens(named: Tensors, model: ModelDescription) -> DeferredArray:
    shape = (1, model.num_prefix_tokens, model.hidden_size)

    def make() -> FloatArray:
        rows = [np.asarray(named[name]).reshape(-1, model.hidden_size) for name in model.prefix_tokens]
        return np.asarray(np.concatenate([np.zeros((0, model.hidden_size), np.float32), *rows]).reshape(shape))

    return DeferredArray(shape, make)


def _positions(named: Tensors, model: ModelDescription, grid: tuple[int, int]) -> DeferredArray:
    stored, known = named["positions"], model.positions
    num_prefix, width = model.num_prefix_tokens, model.hidden_size
    shape = (1, num_prefix + math.prod(grid), width)

    def make() -> FloatArray:
        values = np.asarray(stored).reshape(-1, width)
        # Registers, and in some models every token before the patches, have no position.
        prefix = np.zeros((num_prefix, width), np.float32)
        prefix[: known.num_prefix_tokens] = values[: known.num_prefix_tokens]
        patches = values[known.num_prefix_tokens :].reshape(*known.grid_size, width)
        fitted = resample_positions(patches, grid, is_antialiased=known.is_antialiased)
        return np.asarray(np.concatenate([prefix, fitted.reshape(-1, width)])[None])

    return DeferredArray(shape, make)


def _classifier(named: Tensors) -> Mapping[str, DeferredArray]:
    kernel, bias = _changed(named["head/weight"], np.transpose), _bias(named, "head")
    if "head_dist/weight" not in named:
        return {"kernel": kernel, "bias": bias}
    second, other_bias = _changed(named["head_dist/weight"], np.transpose), _bias(named, "head_dist")
    shape = (kernel.shape[0] + second.shape[0], kernel.shape[1])
    return {
        "kernel": DeferredArray(shape, lambda: np.concatenate([np.asarray(kernel), np.asarray(second)]) / 2),
        "bias": DeferredArray(bias.shape, lambda: (np.asarray(bias) + np.asarray(other_bias)) / 2),
    }


def describe_sizes(named: Tensors, path: Path) -> dict[str, int]:
    """Sizes that shapes tell: patch_size, num_layers, hidden_size, mlp_dim.

    Raises:
        WeightsError: The shapes are not those of a Vision Transformer on square patches of RGB.
    """
    try:
        hidden_size, channels, height, width = named["embedding/weight"].shape
        mlp_dim = named["encoderblock_0/Dense_0/weight"].shape[0]
        is_known = channels == len("RGB") and height == width and "positions" in named
    except (KeyError, ValueError):
        is_known = False
    if not is_known:
        shapes = [f"{name} {array.shape}" for name, array in _few(named)]
        raise WeightsError(
            "checkpoint holds no Vision Transformer on square patches of RGB",
            expected="an embedding (hidden size, 3, patch, patch), positions and transformer blocks",
            got=", ".join(shapes) or "no tensors", where=path,
        )  # fmt: skip
    return {"patch_size": height, "num_layers": num_blocks(named), "hidden_size": hidden_size, "mlp_dim": mlp_dim}


def positions_of(
    named: Tensors, prefixes: tuple[int, ...], grid_size: tuple[int, int], *, is_antialiased: bool
) -> StoredPositions:
    """How positions are stored; arguments as of `stored_grid`."""
    num_positions = math.prod(named["positions"].shape[:-1])
    grid, num_prefix = stored_grid(num_positions, prefixes, grid_size)
    return StoredPositions(grid, num_prefix, is_antialiased)


def _few(named: Tensors) -> Iterator[tuple[str, DeferredArray]]:
    return (pair for _, pair in zip(range(MAX_NAMED), named.items(), strict=False))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
