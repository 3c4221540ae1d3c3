"""Checkpoints of Hugging Face's transformers and of timm: read by name into the same graph, without PyTorch."""

from evalharness.model.checkpoints.description import ModelDescription, PhotoSettings
from evalharness.model.checkpoints.files import COMPONENTS, find_checkpoint
from evalharness.model.checkpoints.reading import Checkpoint, kind_of_checkpoint, read_checkpoint

__all__ = [
    "COMPONENTS",
    "Checkpoint",
    "ModelDescription",
    "PhotoSettings",
    "find_checkpoint",
    "kind_of_checkpoint",
    "read_checkpoint",
]
