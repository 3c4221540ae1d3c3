"""Inference: prediction and attention of every image from one forward pass."""

from evalharness.inference.faithfulness import Subset, measure_faithfulness
from evalharness.inference.forward import ForwardPass
from evalharness.inference.loop import PredictionSink, run_inference
from evalharness.inference.region_views import view_regions
from evalharness.inference.tokens import BlockTokens

__all__ = [
    "BlockTokens",
    "ForwardPass",
    "PredictionSink",
    "Subset",
    "measure_faithfulness",
    "run_inference",
    "view_regions",
]
