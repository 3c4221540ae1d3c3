"""The table of attention methods. A new method is a function, a line here and a test."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evalharness.attention import baselines, from_trace, occlusion

Needs = Literal["attention", "gradients", "block_gradients", "frozen_gradients", "perturbation", "nothing"]


@dataclass(frozen=True)
class AttentionMethod:
    """One way to turn an image and a model into a map over patches."""

    relevance: Callable[..., Any]
    """Its arguments follow from `needs`; gives (B, P), non-negative unless `is_signed` ((P,) for `perturbation`)."""
    needs: Needs
    """`attention`: (trace, **options). `gradients`: (trace, gradients of the target score, **options).
    `block_gradients`: the same with the gradients of the score read at each block. `frozen_gradients`: the same with
    the frozen gradients. `perturbation`: (image, grid_size, score=..., **options). `nothing`: (row_ids, grid_size)."""
    version: int
    """Raised when the method's numbers change: part of the recipe."""
    source: str
    default_options: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_class_specific(self) -> bool:
        """Whether the map depends on the head and on the target."""
        return self.needs in ("gradients", "block_gradients", "frozen_gradients", "perturbation")

    @property
    def is_signed(self) -> bool:
        """Whether values have a sign: the map is their positive part, and they are kept beside it."""
        return self.needs in ("frozen_gradients", "perturbation")


METHODS: dict[str, AttentionMethod] = {
    "libra": AttentionMethod(from_trace.libra, "frozen_gradients", 1, "Mehri et al. 2025, CVPR", {"start_layer": 0}),
    "grad_attention": AttentionMethod(
        from_trace.grad_attention, "gradients", 1, "Chefer et al. 2021, ICCV", {"start_layer": 0}
    ),
    "legrad": AttentionMethod(
        from_trace.legrad, "block_gradients", 1, "Bousselham et al. 2024", {"readout": "head", "start_layer": 0}
    ),
    "grad_cam": AttentionMethod(from_trace.grad_cam, "gradients", 1, "Selvaraju et al. 2017, ICCV"),
    "rollout": AttentionMethod(from_trace.rollout, "attention", 1, "Abnar & Zuidema 2020, ACL", {"start_layer": 0}),
    "last_attention": AttentionMethod(
        from_trace.last_attention, "attention", 1, "raw attention", {"layer": -1, "head": None}
    ),
    "occlusion": AttentionMethod(
        occlusion.occlusion_map, "perturbation", 1, "Zeiler & Fergus 2014, ECCV", {"group_size": 2}
    ),
    "random": AttentionMethod(baselines.random_maps, "nothing", 1, "baseline: noise seeded by row_id"),
    "center": AttentionMethod(baselines.center_maps, "nothing", 1, "baseline: a Gaussian at the centre"),
}
