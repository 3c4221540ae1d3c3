"""From labels and probabilities to numbers with intervals."""

from evalharness.metrics.class_order import class_order_warning
from evalharness.metrics.evaluation import evaluate_predictions
from evalharness.metrics.registry import METRICS, Metric

__all__ = ["METRICS", "Metric", "class_order_warning", "evaluate_predictions"]
