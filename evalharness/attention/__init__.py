"""Attention maps: methods, targets, and the density that is stored of them."""

from evalharness.attention.density import to_density
from evalharness.attention.from_trace import Gradients, completeness_error, target_weights
from evalharness.attention.map_specs import ambiguous_targets, check_options, map_specs
from evalharness.attention.registry import METHODS, AttentionMethod

__all__ = [
    "METHODS",
    "AttentionMethod",
    "Gradients",
    "ambiguous_targets",
    "check_options",
    "completeness_error",
    "map_specs",
    "target_weights",
    "to_density",
]
