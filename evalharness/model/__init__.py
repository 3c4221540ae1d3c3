"""Models: from a config and a weights file to a vision transformer whose forward pass can be traced."""

from evalharness.model.architecture import build_keras_model
from evalharness.model.last_layers import LastLayers, LayerName
from evalharness.model.load import hash_backbone, load_model
from evalharness.model.probe import ProbeImages, ProbeResult, probe_heads, probe_preprocessing
from evalharness.model.published import PUBLISHED, imagenet_classes, load_published
from evalharness.model.random_head import randomised_head
from evalharness.model.structure import LayerSummary, describe_model
from evalharness.model.tensorflow_setup import configure_tensorflow
from evalharness.model.weights_source import is_artifact, resolve_weights

__all__ = [
    "PUBLISHED",
    "LastLayers",
    "LayerName",
    "LayerSummary",
    "ProbeImages",
    "ProbeResult",
    "build_keras_model",
    "configure_tensorflow",
    "describe_model",
    "hash_backbone",
    "imagenet_classes",
    "is_artifact",
    "load_model",
    "load_published",
    "probe_heads",
    "probe_preprocessing",
    "randomised_head",
    "resolve_weights",
]
