"""Metrics of a handful of rows, worked by hand."""

import math

import numpy as np
import pytest
from sklearn import metrics as scikit

from evalharness.metrics import METRICS
from evalharness.metrics.predictions import Predictions
from evalharness.metrics.probabilities import bin_of, calibration_bins

# Five rows of three classes; the verdicts are 0, 0, 1, 1, 2 and the labels 0, 1, 1, 1, 0. Class 2 has no row.
LABELS = np.array([0, 1, 1, 1, 0])
PROBS = np.array([[0.8, 0.1, 0.1], [0.5, 0.4, 0.1], [0.2, 0.6, 0.2], [0.1, 0.7, 0.2], [0.1, 0.3, 0.6]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accuracy", 3 / 5),
        ("balanced_accuracy", (1 / 2 + 2 / 3) / 2),
        ("top2_accuracy", 4 / 5),
        ("macro_precision", (1 / 2 + 2 / 2 + 0) / 3),
        ("macro_recall", (1 / 2 + 2 / 3 + 0) / 3),
        ("macro_f1", (2 / 4 + 4 / 5 + 0) / 3),
        ("mcc", (3 * 5 - (2 * 2 + 3 * 2)) / math.sqrt((25 - (4 + 9)) * (25 - (4 + 4 + 1)))),
        ("log_loss", -(math.log(0.8) + math.log(0.4) + math.log(0.6) + math.log(0.7) + math.log(0.1)) / 5),
        ("brier", (0.06 + 0.62 + 0.24 + 0.14 + (0.81 + 0.09 + 0.36)) / 5),
        # Confidences 0.5 (wrong), 0.6 (one right, one wrong), 0.7 (right) and 0.8 (right), in four bins.
        ("ece", (0.5 + 2 * 0.1 + 0.3 + 0.2) / 5),
        # Class 0: 0.8 beats three, 0.1 ties with one of three. Class 1: 0.4, 0.6 and 0.7 beat both 0.1 and 0.3.
        ("roc_auc", (3.5 / 6 + 6 / 6) / 2),
    ],
)
def test_value_by_hand(name, value):
    assert METRICS[name].value(Predictions(LABELS, PROBS)) == pytest.approx(value, abs=1e-12)


def test_perfect_predictions():
    predictions = Predictions(np.arange(6) % 3, np.eye(3)[np.arange(6) % 3])
    values = {name: metric.value(predictions) for name, metric in METRICS.items()}
    best = {name: 1.0 if metric.higher_is_better else 0.0 for name, metric in METRICS.items()}
    assert values == pytest.approx(best, abs=1e-12)


def test_surely_wrong_predictions_are_the_worst():
    predictions = Predictions(np.zeros(4, int), np.eye(3)[[1, 1, 1, 1]])
    assert METRICS["brier"].value(predictions) == 2
    assert METRICS["ece"].value(predictions) == 1
    assert METRICS["log_loss"].value(predictions) == pytest.approx(-math.log(np.finfo(float).eps))


def test_ties_are_one_verdict_in_all_metrics():
    """The first class wins a tie, so the second is the runner-up."""
    predictions = Predictions(np.array([0, 1, 2, 3]), np.full((4, 4), 0.25))
    assert METRICS["accuracy"].value(predictions) == 0.25
    assert METRICS["top2_accuracy"].value(predictions) == 0.5


def test_top2_without_ties_is_scikit_learns():
    generator = np.random.default_rng(0)
    labels, probs = generator.integers(0, 6, 200), generator.dirichlet(np.ones(6), 200)
    expected = scikit.top_k_accuracy_score(labels, probs, k=2)
    assert METRICS["top2_accuracy"].value(Predictions(labels, probs)) == expected


def test_roc_auc_with_all_classes_is_scikit_learns_macro_average():
    generator = np.random.default_rng(0)
    labels, probs = generator.integers(0, 6, 200), generator.dirichlet(np.ones(6), 200)
    expected = scikit.roc_auc_score(labels, probs, multi_class="ovr", average="macro")
    assert METRICS["roc_auc"].value(Predictions(labels, probs)) == pytest.approx(expected, abs=1e-12)


def test_one_class_leaves_the_area_undefined_and_nothing_else():
    predictions = Predictions(np.zeros(3, int), PROBS[:3])
    undefined = [name for name, metric in METRICS.items() if math.isnan(metric.value(predictions))]
    assert undefined == ["roc_auc"]


def test_bins_are_open_below_and_closed_above():
    np.testing.assert_array_equal(bin_of(np.array([0.2, 0.4, 0.6, 0.8, 1.0])), [2, 5, 8, 11, 14])
    just_above = np.nextafter([1 / 15, 0.2, 0.4, 0.6, 0.8], 1)
    np.testing.assert_array_equal(bin_of(just_above), [1, 3, 6, 9, 12])


def test_calibration_bins_by_hand():
    bins = calibration_bins(Predictions(LABELS, PROBS))
    assert [row[2] for row in bins] == [0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1, 1, 0, 0, 0]
    assert bins[8] == (pytest.approx(0.6), 0.5, 2)
    assert bins[7] == (0.5, 0.0, 1)
    assert all(math.isnan(value) for value in bins[0][:2])


@pytest.mark.parametrize(
    ("labels", "probs", "message"),
    [
        (np.array([0, 1]), np.full((3, 2), 0.5), "do not go with"),
        (np.array([0, 1]), np.full(2, 0.5), "do not go with"),
        (np.array([], int), np.zeros((0, 2)), "do not go with"),
        (np.array([0, 2]), np.full((2, 2), 0.5), "below 2"),
        (np.array([0, -1]), np.full((2, 2), 0.5), "below 2"),
        (np.array([0, 1]), np.array([[0.5, 0.5], [np.nan, 1]]), "finite"),
    ],
)
def test_what_does_not_fit_is_refused(labels, probs, message):
    with pytest.raises(ValueError, match=message):
        Predictions(labels, probs)
