"""The table of metrics, in the order in which they are shown. A new one is a function, its resampled twin, a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evalharness.metrics import probabilities, ranking, verdicts
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.records import FloatArray


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that sums up predictions."""

    value: Callable[[Predictions], float]
    """The number; NaN where it is not defined."""
    resampled: Callable[[Resamples], FloatArray]
    """The same number for each of many resamples, computed at once; NaN where it is not defined."""
    higher_is_better: bool
    min_num_classes: int = 1
    """With fewer classes the number says nothing, and is left out."""


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric(verdicts.accuracy, verdicts.resampled_accuracy, higher_is_better=True),
    "balanced_accuracy": Metric(
        verdicts.balanced_accuracy, verdicts.resampled_balanced_accuracy, higher_is_better=True
    ),
    "top2_accuracy": Metric(
        verdicts.top2_accuracy, verdicts.resampled_top2_accuracy, higher_is_better=True, min_num_classes=3
    ),
    "macro_precision": Metric(verdicts.macro_precision, verdicts.resampled_macro_precision, higher_is_better=True),
    "macro_recall": Metric(verdicts.macro_recall, verdicts.resampled_macro_recall, higher_is_better=True),
    "macro_f1": Metric(verdicts.macro_f1, verdicts.resampled_macro_f1, higher_is_better=True),
    "mcc": Metric(verdicts.mcc, verdicts.resampled_mcc, higher_is_better=True),
    "log_loss": Metric(probabilities.log_loss, probabilities.resampled_log_loss, higher_is_better=False),
    "brier": Metric(probabilities.brier, probabilities.resampled_brier, higher_is_better=False),
    "ece": Metric(probabilities.ece, probabilities.resampled_ece, higher_is_better=False),
    "roc_auc": Metric(ranking.roc_auc, ranking.resampled_roc_auc, higher_is_better=True),
}
