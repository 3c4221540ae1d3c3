"""What the files of a checkpoint say of its model: sizes, tokens, head, classes, and how photos become its input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from evalharness.config import Normalization, Pooling
from evalharness.records import FloatArray


@dataclass(frozen=True, slots=True)
class PhotoSettings:
    """How photos become the model's input; None where the files do not tell."""

    image_size: tuple[int, int] | None = None
    """(height, width) in pixels."""
    preprocessing: str | Normalization | None = None
    resize: Literal["squash", "crop"] | None = None
    resize_size: tuple[int, int] | None = None
    """(height, width) in pixels that photos are scaled to, or cover, before the centre is cut out; None: image_size."""
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPositions:
    """Position embeddings as the file has them, and how the original fits them to another grid."""

    grid_size: tuple[int, int]
    """Patch rows and patch columns."""
    num_prefix_tokens: int
    """Tokens before those of the patches that have a position."""
    is_antialiased: bool
    """Whether a smaller grid is averaged."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A vision transformer, from the names and shapes of its tensors and from the config beside them."""

    architecture: str
    """As the files name it, such as `ViTForImageClassification` or `vit_small_patch16_224`."""
    patch_size: int
    num_layers: int
    hidden_size: int
    num_heads: int | None
    """None where nothing tells it."""
    mlp_dim: int
    epsilon: float
    """Of every layer norm."""
    pooling: Pooling
    prefix_tokens: tuple[str, ...]
    """Names of the tensors whose rows come before the patches, such as `("cls", "registers")`."""
    num_prefix_tokens: int
    positions: StoredPositions
    is_normed_before_head: bool
    """Whether the final norm comes after pooling (timm's `fc_norm`) instead of before."""
    num_outputs: int | None
    """None: there is no classifier."""
    classes: tuple[str, ...] | None
    photos: PhotoSettings


@dataclass(frozen=True)
class DeferredArray:
    """An array that is computed when it is used: a large model is not held twice."""

    shape: tuple[int, ...]
    make: Callable[[], FloatArray] = field(repr=False)

    def __array__(self, dtype: Any = None) -> FloatArray:
        return np.asarray(self.make(), dtype)


Tensors = Mapping[str, DeferredArray]
"""By name; float32 when they are read."""
