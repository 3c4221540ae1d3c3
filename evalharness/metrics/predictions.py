"""What a metric is computed from: predictions, or many resamples of them at once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, IntArray

sparse = LazyModule("scipy.sparse")


@dataclass(frozen=True)
class Predictions:
    """The labels and probabilities of N rows over C classes."""

    labels: IntArray
    """Class index of each row, shape (N,)."""
    probs: FloatArray
    """Shape (N, C), float64; rows sum to 1."""
    averaged: IntArray | None = None
    """Class indices that averages over classes run over, rising; None: those that occur in these rows."""

    def __post_init__(self) -> None:
        if self.probs.ndim != 2 or self.labels.shape != self.probs.shape[:1] or len(self.labels) == 0:
            raise ValueError(f"labels of shape {self.labels.shape} do not go with probs of shape {self.probs.shape}")
        if not ((self.labels >= 0) & (self.labels < self.num_classes)).all():
            raise ValueError(f"labels must be class indices below {self.num_classes}")
        if not np.isfinite(self.probs).all():
            raise ValueError("probs must be finite")
        if self.averaged is not None and np.setdiff1d(self.occurring, self.averaged).size:
            raise ValueError("averages must run over all classes that occur")

    @property
    def num_classes(self) -> int:
        """C."""
        return self.probs.shape[1]

    @cached_property
    def pred_labels(self) -> IntArray:
        """Class index of the highest probability, the first in a tie, shape (N,)."""
        pred_labels: IntArray = self.probs.argmax(axis=1)
        return pred_labels

    @cached_property
    def occurring(self) -> IntArray:
        """Indices of the classes that some row has, or is taken for, rising."""
        return np.union1d(self.labels, self.pred_labels)

    @property
    def averaged_classes(self) -> IntArray:
        """Indices of the classes that averages run over; the same in every resample."""
        return self.occurring if self.averaged is None else self.averaged

    @cached_property
    def is_correct(self) -> FloatArray:
        """1 where the predicted class is the true one, else 0, shape (N,)."""
        is_correct: FloatArray = (self.pred_labels == self.labels).astype(np.float64)
        return is_correct

    @cached_property
    def confidences(self) -> FloatArray:
        """The highest probability, shape (N,)."""
        confidences: FloatArray = self.probs.max(axis=1)
        return confidences

    @cached_property
    def rankings(self) -> tuple["ClassRanking | None", ...]:
        """Of each class; None for a class that no row has, or that all have."""
        return tuple(_ranking(self.labels == index, self.probs[:, index]) for index in range(self.num_classes))


@dataclass(frozen=True, slots=True)
class ClassRanking:
    """The rows of one class among the others, ranked by the probability of that class."""

    positives: IntArray
    """Rows of the class."""
    negatives: IntArray
    """All other rows, by rising probability."""
    num_below: IntArray
    """For each positive row, how many negative ones have a lower probability."""
    num_up_to: IntArray
    """For each positive row, how many negative ones have a lower or the same probability."""


@dataclass(frozen=True)
class Resamples:
    """Many resamples of the same predictions."""

    predictions: Predictions
    counts: FloatArray
    """How often each of R resamples holds each row, shape (R, N), whole numbers as float64."""

    @cached_property
    def num_rows(self) -> FloatArray:
        """Rows of each resample, shape (R,); it varies when groups of different sizes are drawn."""
        num_rows: FloatArray = self.counts.sum(axis=1)
        return num_rows

    def mean(self, values: FloatArray) -> FloatArray:
        """The mean of one value per row over each resample.

        Args:
            values: Shape (N,).

        Returns:
            Shape (R,).
        """
        return self.counts @ values / self.num_rows

    def sums_by(self, places: IntArray, values: FloatArray, num_places: int) -> FloatArray:
        """The sum of the values of those rows that share a place, in each resample.

        Args:
            places: Where each row belongs, such as its label, shape (N,).
            values: Shape (N,).
            num_places: Number of places, P.

        Returns:
            Shape (R, P).
        """
        num_rows = len(places)
        table = sparse.csr_array((values, (np.arange(num_rows), places)), shape=(num_rows, num_places))
        return np.asarray(self.counts @ table)

    @cached_property
    def support(self) -> FloatArray:
        """Rows of each class, shape (R, C)."""
        labels = self.predictions.labels
        return self.sums_by(labels, np.ones(len(labels)), self.predictions.num_classes)

    @cached_property
    def num_predicted(self) -> FloatArray:
        """Rows predicted as each class, shape (R, C)."""
        pred_labels = self.predictions.pred_labels
        return self.sums_by(pred_labels, np.ones(len(pred_labels)), self.predictions.num_classes)

    @cached_property
    def num_correct(self) -> FloatArray:
        """Rows of each class that are predicted right, shape (R, C): the diagonal of the confusion matrix."""
        return self.sums_by(self.predictions.labels, self.predictions.is_correct, self.predictions.num_classes)


def _ranking(is_positive: npt.NDArray[np.bool_], scores: FloatArray) -> ClassRanking | None:
    positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
    if not len(positives) or not len(negatives):
        return None
    negatives = negatives[np.argsort(scores[negatives])]
    num_below = np.searchsorted(scores[negatives], scores[positives], side="left")
    num_up_to = np.searchsorted(scores[negatives], scores[positives], side="right")
    return ClassRanking(positives, negatives, num_below, num_up_to)
