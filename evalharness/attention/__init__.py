"""Attention maps: methods, targets, and the density that is stored of them."""

from evalharness.attention.density import to_density
from evalharness.attention.graph import target_weights
from evalharness.attention.registry import METHODS, AttentionMethod
from evalharness.attention.specs import check_layers, map_specs

__all__ = ["METHODS", "AttentionMethod", "check_layers", "map_specs", "target_weights", "to_density"]
