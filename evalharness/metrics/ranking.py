"""The metric of how probabilities rank rows: its value, and its values over many resamples at once."""

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.metrics.predictions import ClassRanking, Predictions, Resamples
from evalharness.records import FloatArray

scikit = LazyModule("sklearn.metrics")


def roc_auc(predictions: Predictions) -> float:
    """Mean area under the ROC curve of each class against the rest, 0 to 1.

    The mean runs over the classes for which the area is defined, those that some rows have and others have not; NaN if
    there is none.
    """
    labels, probs = predictions.labels, predictions.probs
    occurring = np.unique(labels)
    if len(occurring) < 2:
        return float("nan")
    return float(np.mean([scikit.roc_auc_score(labels == index, probs[:, index]) for index in occurring]))


def resampled_roc_auc(resamples: Resamples) -> FloatArray:
    """`roc_auc` of each resample, over the classes for which the area is defined in it, shape (R,)."""
    rankings = resamples.predictions.rankings
    total, num_defined = np.zeros(len(resamples.counts)), np.zeros(len(resamples.counts))
    for ranking in rankings:
        if ranking is not None:
            areas = _areas(ranking, resamples.counts)
            is_defined = ~np.isnan(areas)
            total += np.where(is_defined, areas, 0)
            num_defined += is_defined
    mean: FloatArray = np.divide(total, num_defined, out=np.full_like(total, np.nan), where=num_defined > 0)
    return mean


def _areas(ranking: ClassRanking, counts: FloatArray) -> FloatArray:
    """The share of pairs of a positive and a negative row that are in order, ties counting half (Mann-Whitney)."""
    cumulated = np.zeros((len(counts), len(ranking.negatives) + 1))
    np.cumsum(counts[:, ranking.negatives], axis=1, out=cumulated[:, 1:])
    positives = counts[:, ranking.positives]
    twice_in_order = np.einsum("rp,rp->r", positives, cumulated[:, ranking.num_below])
    twice_in_order += np.einsum("rp,rp->r", positives, cumulated[:, ranking.num_up_to])
    num_pairs = positives.sum(axis=1) * cumulated[:, -1]
    areas: FloatArray = np.divide(
        twice_in_order, 2 * num_pairs, out=np.full_like(num_pairs, np.nan), where=num_pairs > 0
    )
    return areas
