"""The table of attention methods. A new method is a function, a line here, a preset and a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evalharness.attention import graph


@dataclass(frozen=True)
class AttentionMethod:
    """One way to turn a forward pass into a map over patches."""

    relevance: Callable[..., "graph.tf.Tensor"]
    """(trace, gradients, **options) -> (B, P), non-negative."""
    version: int
    """Raised when the method's numbers change: part of the recipe."""
    is_class_specific: bool
    """Needs the gradient of the target logit; its map depends on the head and on the target."""
    source: str
    default_options: Mapping[str, object] = field(default_factory=dict)


METHODS: dict[str, AttentionMethod] = {
    "grad_attention": AttentionMethod(
        graph.grad_attention, 1, True, "Chefer et al. 2021, ICCV", {"start_layer": 0}
    ),
    "rollout": AttentionMethod(graph.rollout, 1, False, "Abnar & Zuidema 2020, ACL", {"start_layer": 0}),
    "last_attention": AttentionMethod(graph.last_attention, 1, False, "raw attention of the last block"),
}
