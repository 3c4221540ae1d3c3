"""How scattered maps are, and whether that goes with mistakes."""

from evalharness.evaluating.stages.noise.finding import NoiseFinding
from evalharness.evaluating.stages.noise.stage import Noise

__all__ = ["Noise", "NoiseFinding"]
