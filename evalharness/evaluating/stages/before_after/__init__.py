"""Where the backbone looked before fine-tuning."""

from evalharness.evaluating.stages.before_after.finding import BeforeAfterFinding
from evalharness.evaluating.stages.before_after.stage import BeforeAfter

__all__ = ["BeforeAfter", "BeforeAfterFinding"]
