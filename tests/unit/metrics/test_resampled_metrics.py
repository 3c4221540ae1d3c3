"""Every metric of the table, over all resamples at once, equals scikit-learn on the rows of each resample."""

import numpy as np
import pytest
from oracles import CASES, oracle

from evalharness.metrics import METRICS
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.statistics import resample_counts

NUM_RESAMPLES = 60
PAIRS = [
    (name, case)
    for name, metric in METRICS.items()
    for case, (_, probs) in CASES.items()
    if probs.shape[1] >= metric.min_num_classes
]


def resamples_of(case, units=None):
    labels, probs = CASES[case]
    units = np.arange(len(labels)) if units is None else units
    counts = np.concatenate(list(resample_counts(units, num_resamples=NUM_RESAMPLES, seed=123)))
    return Resamples(Predictions(labels, probs), counts)


def check(name, resamples):
    labels, probs = resamples.predictions.labels, resamples.predictions.probs
    expected = []
    for counts in resamples.counts:
        rows = np.repeat(np.arange(len(labels)), counts.astype(int))
        expected.append(oracle(name, labels, probs, rows))
    np.testing.assert_allclose(METRICS[name].resampled(resamples), expected, rtol=0, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_resampled_metric_is_the_metric_of_the_resampled_rows(name, case):
    check(name, resamples_of(case))


@pytest.mark.parametrize("name", METRICS)
def test_resampled_metric_over_groups_of_different_sizes(name):
    check(name, resamples_of("rare class", np.arange(43) * 7 % 11 % 6))


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_value_is_that_of_the_rows_as_they_are(name, case):
    labels, probs = CASES[case]
    predictions = Predictions(labels, probs)
    value = METRICS[name].value(predictions)
    assert value == pytest.approx(oracle(name, labels, probs), abs=1e-12)
    once = METRICS[name].resampled(Resamples(predictions, np.ones((1, len(labels)))))
    assert once.shape == (1,)
    assert once[0] == pytest.approx(value, abs=1e-12)


def test_the_cases_are_as_hard_as_they_say():
    rare = resamples_of("rare class")
    vanished = rare.support == 0
    assert vanished[:, 4].sum() > 10
    assert (vanished[:, 3] & vanished[:, 4]).any()
    one_class = (resamples_of("two classes").support > 0).sum(axis=1) == 1
    assert one_class.any()
    auc = METRICS["roc_auc"].resampled(resamples_of("two classes"))
    np.testing.assert_array_equal(np.isnan(auc), one_class)
    labels, probs = CASES["ties"]
    assert (np.sort(probs, axis=1)[:, -1] == np.sort(probs, axis=1)[:, -2]).sum() > 5
    assert np.isin(probs.max(axis=1), [0.4, 0.6, 0.8]).any()
    assert (probs[np.arange(len(labels)), labels] == 0).any()


def test_areas_are_shares_of_ordered_pairs_by_hand():
    """Class 0 against the rest: 0.7 beats 0.4 and ties with 0.7; 0.2 loses to both. Weights 2 and 1, 1 and 3."""
    probs = np.array([[0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    resamples = Resamples(Predictions(np.array([0, 0, 1, 1]), probs), np.array([[2.0, 1, 1, 3]]))
    in_order = 2 * 1 * 1 + 2 * 3 * 0.5
    np.testing.assert_allclose(METRICS["roc_auc"].resampled(resamples), [in_order / 12], atol=1e-15)
