"""From labels and probabilities to everything that is reported about them."""

from collections.abc import Sequence

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.metrics.probabilities import calibration_bins
from evalharness.metrics.registry import METRICS
from evalharness.records import ClassMetrics, Evaluation, FloatArray, IntArray, Interval
from evalharness.statistics import percentile_interval, resample_counts, resampling_units

scikit = LazyModule("sklearn.metrics")


def evaluate_predictions(
    labels: IntArray,
    probs: FloatArray,
    *,
    class_names: Sequence[str],
    groups: Sequence[str] | None,
    num_resamples: int,
    confidence: float,
    seed: int,
) -> Evaluation:
    """Computes the headline with its bootstrap intervals, the per-class table, the confusion matrix and the bins.

    Args:
        labels: Class index of each row, shape (N,).
        probs: Probabilities, shape (N, C); the predicted class is the first of the highest.
        class_names: C names, in the order of the columns of `probs`; not all need occur.
        groups: The group of each row, drawn together by the bootstrap; None if each row is drawn on its own.
        num_resamples: Of the bootstrap.
        confidence: Coverage of the intervals, between 0 and 1.
        seed: Of the bootstrap: the same seed and groups draw the same resamples in every run.
    """
    predictions = Predictions(np.asarray(labels), np.asarray(probs, np.float64))
    if len(class_names) != predictions.num_classes:
        raise ValueError(f"{len(class_names)} class names for {predictions.num_classes} columns of probs")
    units = resampling_units(groups, len(predictions.labels))
    all_classes = np.arange(predictions.num_classes)
    return Evaluation(
        headline=_headline(predictions, units, num_resamples, confidence, seed),
        per_class=_per_class(predictions, class_names),
        confusion=scikit.confusion_matrix(predictions.labels, predictions.pred_labels, labels=all_classes),
        calibration_bins=calibration_bins(predictions),
    )


def _headline(
    predictions: Predictions, units: IntArray, num_resamples: int, confidence: float, seed: int
) -> dict[str, Interval]:
    """Each metric of the table that makes sense for this number of classes."""
    metrics = {name: metric for name, metric in METRICS.items() if predictions.num_classes >= metric.min_num_classes}
    chunks: dict[str, list[FloatArray]] = {name: [] for name in metrics}
    for counts in resample_counts(units, num_resamples=num_resamples, seed=seed):
        resamples = Resamples(predictions, counts)
        for name, metric in metrics.items():
            chunks[name].append(metric.resampled(resamples))
    return {
        name: percentile_interval(metric.value(predictions), np.concatenate(chunks[name]), confidence)
        for name, metric in metrics.items()
    }


def _per_class(predictions: Predictions, class_names: Sequence[str]) -> tuple[ClassMetrics, ...]:
    """One row a class; NaN, unlike in the macro averages, where a number is not defined."""
    labels, pred_labels = predictions.labels, predictions.pred_labels
    all_classes = np.arange(predictions.num_classes)
    precision, recall, f1, support = scikit.precision_recall_fscore_support(
        labels, pred_labels, labels=all_classes, average=None, zero_division=np.nan
    )
    num_predicted = np.bincount(pred_labels, minlength=predictions.num_classes)
    return tuple(
        ClassMetrics(
            class_name=name,
            support=int(support[index]),
            num_predicted=int(num_predicted[index]),
            precision=float(precision[index]),
            recall=float(recall[index]),
            f1=float(f1[index]),
        )
        for index, name in enumerate(class_names)
    )
