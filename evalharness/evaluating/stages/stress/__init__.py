"""Cut-outs pasted into the photos."""

from evalharness.evaluating.stages.stress.finding import StressFinding
from evalharness.evaluating.stages.stress.stage import Stress

__all__ = ["Stress", "StressFinding"]
