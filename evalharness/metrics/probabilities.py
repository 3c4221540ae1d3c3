"""Metrics of the probabilities themselves. Each has its value, and its values over many resamples at once."""

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.records import FloatArray, IntArray

scikit = LazyModule("sklearn.metrics")

NUM_BINS = 15


def log_loss(predictions: Predictions) -> float:
    """Mean of -log of the true class's probability, which is kept at least 2.2e-16 away from 0 and 1."""
    all_classes = np.arange(predictions.num_classes)
    return float(scikit.log_loss(predictions.labels, predictions.probs, labels=all_classes))


def resampled_log_loss(resamples: Resamples) -> FloatArray:
    """`log_loss` of each resample, shape (R,)."""
    labels, probs = resamples.predictions.labels, resamples.predictions.probs
    margin = np.finfo(np.float64).eps
    own = probs[np.arange(len(labels)), labels].clip(margin, 1 - margin)
    return resamples.mean(-np.log(own))


def brier(predictions: Predictions) -> float:
    """Mean over rows of the squared differences to the true class's indicator, summed over classes, 0 to 2."""
    return float(_squared_differences(predictions).mean())


def resampled_brier(resamples: Resamples) -> FloatArray:
    """`brier` of each resample, shape (R,)."""
    return resamples.mean(_squared_differences(resamples.predictions))


def ece(predictions: Predictions) -> float:
    """Expected calibration error, 0 to 1: the mean gap of confidence and accuracy over the bins (Guo et al. 2017)."""
    gaps = [
        count * abs(accuracy - confidence) for confidence, accuracy, count in calibration_bins(predictions) if count
    ]
    return sum(gaps) / len(predictions.labels)


def resampled_ece(resamples: Resamples) -> FloatArray:
    """`ece` of each resample, shape (R,)."""
    predictions = resamples.predictions
    gaps = resamples.sums_by(
        bin_of(predictions.confidences), predictions.is_correct - predictions.confidences, NUM_BINS
    )
    summed: FloatArray = np.abs(gaps).sum(axis=1)
    return summed / resamples.num_rows


def calibration_bins(predictions: Predictions) -> tuple[tuple[float, float, int], ...]:
    """Mean confidence, accuracy and count of each bin by rising confidence; NaN for an empty bin."""
    bins = bin_of(predictions.confidences)
    counts = np.bincount(bins, minlength=NUM_BINS)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(bins, predictions.confidences, NUM_BINS) / counts
        accuracy = np.bincount(bins, predictions.is_correct, NUM_BINS) / counts
    return tuple(zip(confidence.tolist(), accuracy.tolist(), counts.tolist(), strict=True))


def bin_of(confidences: FloatArray) -> IntArray:
    """The bin of each confidence, from 0; of equal width over 0 to 1, each open at its lower edge."""
    inner_edges = np.arange(1, NUM_BINS) / NUM_BINS
    return np.searchsorted(inner_edges, confidences, side="left")


def _squared_differences(predictions: Predictions) -> FloatArray:
    differences = predictions.probs.copy()
    differences[np.arange(len(differences)), predictions.labels] -= 1
    summed: FloatArray = (differences**2).sum(axis=1)
    return summed
