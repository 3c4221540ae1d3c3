"""Which maps can be believed."""

from evalharness.evaluating.stages.faithfulness.finding import FaithfulnessFinding
from evalharness.evaluating.stages.faithfulness.stage import Faithfulness

__all__ = ["Faithfulness", "FaithfulnessFinding"]
