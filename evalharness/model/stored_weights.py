"""Reads weights files of every layout that Keras 2.15 writes, without deserialising a model.

A legacy `.h5` lists a nested model's weights trainable first, then frozen, so positions inside the backbone mean
nothing: every weight of the backbone gets a canonical name from its stored name. The layout of `.weights.h5` and
`.keras` has no names, but numbers the layers of each class in order.

Canonical names: `embedding/kernel`, `class_token/cls`, `posembed_input/pos_embedding`,
`encoderblock_<n>/<query|key|value|out|Dense_0|Dense_1|LayerNorm_0|LayerNorm_2>/<kernel|bias|gamma|beta>`,
`encoder_norm/gamma`, and so on.
"""

import errno
import json
import os
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py

from evalharness.errors import WeightsError
from evalharness.records import WeightsSource

BLOCK_PARTS = {
    "att/query_dense": "query",
    "att/key_dense": "key",
    "att/value_dense": "value",
    "att/combine_heads": "out",
    "mlpblock/layers/dense": "Dense_0",
    "mlpblock/layers/dense_1": "Dense_1",
    "layernorm1": "LayerNorm_0",
    "layernorm2": "LayerNorm_2",
}
"""Path of a sublayer of vit-keras's TransformerBlock by attribute, and its name."""
_BLOCK = re.compile(r"encoderblock_(\d+)/(?:.*/)?([^/]+/[^/]+)$")
_STEM = re.compile(r"(?:^|/)(embedding/(?:kernel|bias)|encoder_norm/(?:gamma|beta))$")
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?$")
NORM_ROLES, DENSE_ROLES = ("gamma", "beta"), ("kernel", "bias")
BROKEN = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py and names that are none make of a structure that is broken behind a header that is not."""
BROKEN_ARCHIVE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""RuntimeError: encrypted, or compressed in a way that is not known."""
MAX_CONFIG = 1 << 26
"""Bytes of a model's own config."""
MAX_RATIO, MIN_UNPACKED = 100, 1 << 28
"""Weights hardly shrink: a member of more bytes than the second that shrank by more than the first is no model."""


@dataclass(frozen=True)
class StoredLayer:
    """One layer of the head in the file."""

    name: str
    kind: str
    """Class of the layer in snake case, such as `dense`; `other` where it cannot be told."""
    arrays: Mapping[str, h5py.Dataset]
    """By role (`kernel`, `bias`, ...), or by position (`0`, `1`, ...) where the file has no names."""
    is_placed: bool = True
    """Whether it stands in order among layers of its kind; else only its name tells where it belongs."""


@dataclass(frozen=True)
class StoredWeights:
    """What a weights file holds."""

    backbone: Mapping[str, h5py.Dataset]
    """By canonical name."""
    head: tuple[StoredLayer, ...]
    is_head_ordered: bool
    """Whether `head` is in the order of the model; else only layers of one kind are in order."""
    num_heads: frozenset[int] = frozenset()
    """Of the transformer blocks, from the config of a whole model; no shape of a weight tells it. Empty elsewhere."""

    @property
    def num_layers(self) -> int:
        """Transformer blocks."""
        return len({name.split("/")[0] for name in self.backbone if name.startswith("encoderblock_")})


@contextmanager
def open_weights(source: WeightsSource) -> Iterator[StoredWeights]:
    """Opens the file that Keras wrote; arrays are read when they are used.

    Raises:
        WeightsError: The file holds no vit-keras backbone, or more than one.
    """
    with _hdf5(source) as file:
        try:
            root = file["model_weights"] if source.file_format == "h5-model" else file
            stored = _read_numbered(root) if source.file_format in ("weights.h5", "keras") else _read_named(root)
            _check_arrays(stored)
        except BROKEN as error:
            raise WeightsError(
                "weights file cannot be read", expected="an undamaged HDF5 file", got=error, where=source.path,
                fix="Copy or save the file again: it is damaged",
            ) from error  # fmt: skip
        if not stored.num_layers:
            raise WeightsError(
                "weights file holds no vit-keras backbone", expected="transformer blocks",
                got=", ".join(layer.name for layer in stored.head[:6]) or "no weights", where=source.path,
            )  # fmt: skip
        yield replace(stored, num_heads=frozenset(_heads_in(_own_config(source, file))))


def _own_config(source: WeightsSource, file: h5py.Group) -> object:
    """The architecture that a whole model carries, as plain values; None where there is none that can be read."""
    try:
        if source.file_format == "h5-model":
            return json.loads(file.file.attrs["model_config"])
        if source.file_format == "keras":
            with zipfile.ZipFile(source.path) as archive:
                if archive.getinfo("config.json").file_size <= MAX_CONFIG:
                    return json.loads(archive.read("config.json"))
    except (*BROKEN, *BROKEN_ARCHIVE):
        return None
    return None


def _check_arrays(stored: StoredWeights) -> None:
    arrays = dict(stored.backbone)
    for layer in stored.head:
        arrays |= {f"{layer.name}/{role}": array for role, array in layer.arrays.items()}
    for name, array in arrays.items():
        if not isinstance(array, h5py.Dataset):
            raise TypeError(f"a group in the place of the array {name}")
        if array.shape is None or array.dtype.kind not in "fiub":
            raise TypeError(f"no numbers in the array {name}")


def _heads_in(config: object) -> Iterator[int]:
    """The number of heads of every transformer block in a model's config, however deep that is."""
    waiting = [config]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, Mapping):
            inner = entry.get("config")
            name = entry.get("class_name")
            is_block = isinstance(name, str) and name.endswith("TransformerBlock")
            if is_block and isinstance(inner, Mapping) and isinstance(inner.get("num_heads"), int):
                yield inner["num_heads"]
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry


@contextmanager
def _hdf5(source: WeightsSource) -> Iterator[h5py.Group]:
    if source.file_format != "keras":
        try:
            opened = h5py.File(source.path, "r")
        except OSError as error:
            if is_locked(error):
                raise locked_error(source.path, error) from error
            raise
        with opened as file:
            yield file
        return
    with tempfile.TemporaryFile() as unpacked:
        try:
            with zipfile.ZipFile(source.path) as archive, archive.open("model.weights.h5") as member:
                _check_ratio(archive.getinfo("model.weights.h5"))
                shutil.copyfileobj(member, unpacked)
            file = h5py.File(unpacked, "r")
        except (*BROKEN_ARCHIVE, ValueError) as error:
            raise WeightsError(
                "weights in the archive cannot be read", expected="an HDF5 member model.weights.h5", got=error,
                where=source.path, fix="Copy or save the file again: it is damaged",
            ) from error  # fmt: skip
        with file:
            yield file


def _check_ratio(member: zipfile.ZipInfo) -> None:
    if member.file_size > max(MIN_UNPACKED, MAX_RATIO * member.compress_size):
        raise ValueError(f"{member.compress_size:,} bytes that would unfold to {member.file_size:,}")


def is_locked(error: OSError) -> bool:
    """Whether HDF5 refused to open a file because another process has it open, or had when it was killed."""
    return any(words in str(error) for words in ("unable to lock file", "already open for", "consistency flags"))


def locked_error(path: Path, error: OSError) -> WeightsError:
    """What to do about a file that is locked.

    Args:
        path: The file.
        error: What HDF5 said.
    """
    if isinstance(error, BlockingIOError) or error.errno in (errno.EAGAIN, errno.EACCES):
        return WeightsError(
            "weights file is in use by another process",
            got="a file that is open for writing, such as by a training that still runs",
            where=path,
            fix="Wait until it is closed, or name the checkpoint before it; a copy made now may be incomplete",
        )
    if "unable to lock" in str(error):
        return WeightsError(
            "weights file cannot be locked",
            got=f"a file system that refuses locks ({os.strerror(error.errno) if error.errno else error})",
            where=path,
            fix="Set HDF5_USE_FILE_LOCKING=FALSE in the environment, or copy the file to a local disk",
        )
    return WeightsError(
        "weights file was not closed",
        got="a file that is marked as open for writing: the process that wrote it still runs, or was killed",
        where=path,
        fix="Wait until it is closed; if nothing writes to it any more, save the weights again or use h5clear -s",
    )


def canonical_name(stored_name: str) -> str | None:
    """The canonical name of a backbone weight, from the name that Keras stored; None for any other weight."""
    name = stored_name.split(":", maxsplit=1)[0]
    block = _BLOCK.search(name)
    if block:
        return f"encoderblock_{int(block[1])}/{block[2]}"
    stem = _STEM.search(name)
    if stem:
        return stem[1]
    last = name.rsplit("/", 1)[-1]
    return {"cls": "class_token/cls", "pos_embedding": "posembed_input/pos_embedding"}.get(last)


def _read_named(file: h5py.Group) -> StoredWeights:
    backbone: dict[str, h5py.Dataset] = {}
    head: list[StoredLayer] = []
    is_ordered = True
    for group_name in _texts(file.attrs["layer_names"]):
        group = file[group_name]
        layers: dict[str, dict[str, h5py.Dataset]] = {}
        for weight_name in _texts(group.attrs["weight_names"]):
            name = canonical_name(weight_name)
            if name is None:
                owner, _, role = weight_name.split(":")[0].rpartition("/")
                layers.setdefault(owner or group_name, {})[role] = group[weight_name]
            elif name in backbone:
                raise _two_backbones(file)
            else:
                backbone[name] = group[weight_name]
        # Several layers in one group were a nested model, whose order depends on what was frozen.
        is_ordered = is_ordered and len(layers) <= 1
        nested = [StoredLayer(owner, kind_of(arrays), arrays) for owner, arrays in layers.items()]
        placed = [replace(layer, is_placed=_is_numbered(layer, nested)) for layer in nested]
        head += sorted(placed, key=lambda layer: _number_of(layer.name))
    return StoredWeights(backbone, tuple(head), is_ordered)


def _read_numbered(file: h5py.Group) -> StoredWeights:
    owners: dict[str, h5py.Group] = {}

    def collect(path: str, node: object) -> None:
        # A trained model's optimizer and metrics are stored beside its layers.
        is_layer = path.startswith("layers/") and path.endswith("/vars")
        if is_layer and isinstance(node, h5py.Group) and len(node):
            owners[path.removesuffix("/vars")] = node

    file.visititems(collect)
    stems = [owner.removesuffix("/class_token") for owner in owners if owner.endswith("layers/class_token")]
    if len(stems) > 1:
        raise _two_backbones(file)
    backbone: dict[str, h5py.Dataset] = {}
    inside: list[StoredLayer] = []
    outside: list[StoredLayer] = []
    for owner, group in owners.items():
        part = owner.removeprefix(f"{stems[0]}/") if stems and owner.startswith(f"{stems[0]}/") else None
        names = _numbered_backbone_names(part) if part else None
        if names is None:
            kind = _NUMBERED.fullmatch(owner.rpartition("/")[2])[1]  # type: ignore[index]
            (outside if part is None else inside).append(StoredLayer(owner, kind, dict(group)))
        else:
            backbone.update({name: group[str(index)] for index, name in enumerate(names)})
    # Layers that the backbone's own model adds (`pre_logits`, `head`) come before those behind it.
    head = [
        replace(layer, is_placed=len({layer.name.rpartition("/")[0] for layer in part}) == 1)
        for part in (inside, outside)
        for layer in sorted(part, key=lambda layer: _number_of(layer.name))
    ]
    return StoredWeights(backbone, tuple(head), is_head_ordered=False)


def _numbered_backbone_names(part: str) -> tuple[str, ...] | None:
    """Canonical names of the variables of one layer of the backbone; None if it is not of the backbone proper."""
    fixed = {
        "conv2d": ("embedding", DENSE_ROLES),
        "class_token": ("class_token", ("cls",)),
        "add_position_embs": ("posembed_input", ("pos_embedding",)),
        "layer_normalization": ("encoder_norm", NORM_ROLES),
    }
    if part in fixed:
        owner, roles = fixed[part]
        return tuple(f"{owner}/{role}" for role in roles)
    layer, _, inner = part.partition("/")
    numbered = _NUMBERED.fullmatch(layer)
    if numbered and numbered[1] == "transformer_block" and inner in BLOCK_PARTS:
        name = BLOCK_PARTS[inner]
        roles = NORM_ROLES if name.startswith("LayerNorm") else DENSE_ROLES
        return tuple(f"encoderblock_{int(numbered[2] or 0)}/{name}/{role}" for role in roles)
    return None


def _two_backbones(file: h5py.Group) -> WeightsError:
    return WeightsError("weights file holds more than one vit-keras backbone", expected="one", where=file.file.filename)


def kind_of(roles: Iterable[str]) -> str:
    """The kind of a layer from the names of its weights; `other` where they do not tell it."""
    roles = set(roles)
    if "moving_mean" in roles:
        return "batch_normalization"
    if roles & {"gamma", "beta"}:
        return "layer_normalization"
    return "dense" if "kernel" in roles else "other"


def _is_numbered(layer: StoredLayer, nested: Sequence[StoredLayer]) -> bool:
    """Whether the layers of its kind in a nested model have Keras's own names: `dense`, `dense_1`, ..."""
    stems = [_NUMBERED.fullmatch(other.name)[1] for other in nested if other.kind == layer.kind]  # type: ignore[index]
    return len(set(stems)) == 1


def _number_of(name: str) -> int:
    numbered = _NUMBERED.fullmatch(name.rpartition("/")[2])
    return int(numbered[2] or 0) if numbered else 0


def _texts(values: object) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]  # type: ignore[attr-defined]
