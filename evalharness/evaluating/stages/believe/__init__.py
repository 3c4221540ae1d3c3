"""Which verdicts may be believed."""

from evalharness.evaluating.stages.believe.finding import BelieveFinding
from evalharness.evaluating.stages.believe.stage import Believe

__all__ = ["Believe", "BelieveFinding"]
