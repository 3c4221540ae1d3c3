"""Metrics of the predicted class. Each has its value, and its values over many resamples at once.

Not every class that the model knows need occur. Macro averages run over the classes that occur among the labels or the
verdicts of the evaluated rows, and over the same in every resample, so that a resample is no average of something else.
What is 0/0 for one of them (the precision of a class that is never predicted, the recall of one without a row, there or
in a resample) counts as zero, as scikit-learn's `zero_division=0` has it. Balanced accuracy does the same over the
classes that have rows, so that it is macro recall, interval and all, where no other class is predicted. The Matthews
correlation is zero by convention where labels or verdicts are all of one class.
"""

from collections.abc import Callable

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.records import FloatArray

scikit = LazyModule("sklearn.metrics")


def accuracy(predictions: Predictions) -> float:
    """Share of rows predicted right, 0 to 1."""
    return float(scikit.accuracy_score(predictions.labels, predictions.pred_labels))


def resampled_accuracy(resamples: Resamples) -> FloatArray:
    """`accuracy` of each resample, shape (R,)."""
    return resamples.mean(resamples.predictions.is_correct)


def balanced_accuracy(predictions: Predictions) -> float:
    """Mean recall of the classes that occur, 0 to 1."""
    occurring = np.unique(predictions.labels)
    return float(scikit.recall_score(predictions.labels, predictions.pred_labels, labels=occurring, average="macro"))


def resampled_balanced_accuracy(resamples: Resamples) -> FloatArray:
    """`balanced_accuracy` of each resample, over the classes that have rows in the whole, shape (R,)."""
    recalls = _ratio(resamples.num_correct, resamples.support)
    balanced: FloatArray = recalls[:, np.unique(resamples.predictions.labels)].mean(axis=1)
    return balanced


def top2_accuracy(predictions: Predictions) -> float:
    """Share of rows whose class is among the two most probable, 0 to 1."""
    # scikit-learn gives ties to the last class, the verdict to the first: with the classes reversed they agree.
    last = predictions.num_classes - 1
    labels, probs = last - predictions.labels, predictions.probs[:, ::-1]
    return float(scikit.top_k_accuracy_score(labels, probs, k=2, labels=np.arange(last + 1)))


def resampled_top2_accuracy(resamples: Resamples) -> FloatArray:
    """`top2_accuracy` of each resample, shape (R,)."""
    labels, probs = resamples.predictions.labels, resamples.predictions.probs
    own = probs[np.arange(len(labels)), labels][:, None]
    is_earlier = np.arange(resamples.predictions.num_classes) < labels[:, None]
    num_before = ((probs > own) | ((probs == own) & is_earlier)).sum(axis=1)
    return resamples.mean((num_before < 2).astype(np.float64))


def macro_precision(predictions: Predictions) -> float:
    """Mean over the occurring classes of the share of rows predicted as the class that are of it, 0 to 1."""
    return _macro(scikit.precision_score, predictions)


def resampled_macro_precision(resamples: Resamples) -> FloatArray:
    """`macro_precision` of each resample, shape (R,)."""
    return _mean(_ratio(resamples.num_correct, resamples.num_predicted), resamples)


def macro_recall(predictions: Predictions) -> float:
    """Mean over the occurring classes of the share of the class's rows that are predicted as it, 0 to 1."""
    return _macro(scikit.recall_score, predictions)


def resampled_macro_recall(resamples: Resamples) -> FloatArray:
    """`macro_recall` of each resample, shape (R,)."""
    return _mean(_ratio(resamples.num_correct, resamples.support), resamples)


def macro_f1(predictions: Predictions) -> float:
    """Mean over the occurring classes of the harmonic mean of precision and recall, 0 to 1."""
    return _macro(scikit.f1_score, predictions)


def resampled_macro_f1(resamples: Resamples) -> FloatArray:
    """`macro_f1` of each resample, shape (R,)."""
    return _mean(_ratio(2 * resamples.num_correct, resamples.support + resamples.num_predicted), resamples)


def mcc(predictions: Predictions) -> float:
    """Matthews correlation of labels and verdicts, -1 to 1 (Gorodkin 2004); 0 if either knows one class only."""
    if len(np.union1d(predictions.labels, predictions.pred_labels)) == 1:
        return 0.0
    return float(scikit.matthews_corrcoef(predictions.labels, predictions.pred_labels))


def resampled_mcc(resamples: Resamples) -> FloatArray:
    """`mcc` of each resample, shape (R,)."""
    total, support, num_predicted = resamples.num_rows, resamples.support, resamples.num_predicted
    covariance = resamples.num_correct.sum(axis=1) * total - (support * num_predicted).sum(axis=1)
    variances = (total**2 - (support**2).sum(axis=1)) * (total**2 - (num_predicted**2).sum(axis=1))
    return _ratio(covariance, np.sqrt(variances))


def _macro(score: Callable[..., float], predictions: Predictions) -> float:
    labels, pred_labels = predictions.labels, predictions.pred_labels
    return float(score(labels, pred_labels, labels=predictions.averaged_classes, average="macro", zero_division=0))


def _mean(by_class: FloatArray, resamples: Resamples) -> FloatArray:
    """Over the classes that averages run over: not those of each resample, but those of all rows."""
    mean: FloatArray = by_class[:, resamples.predictions.averaged_classes].mean(axis=1)
    return mean


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """The quotient, and 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
