"""Scores of each class in a comparison by hand, by scikit-learn and by an explicit loop over resamples."""

import numpy as np
import pytest
from group_draws import drawn_rows, ends, middle
from sklearn.metrics import precision_recall_fscore_support

from evalharness.audit import Resampling
from evalharness.comparison import compare_predictions
from evalharness.metrics.predictions import Predictions

RESAMPLING = Resampling(num_resamples=200, confidence=0.9, seed=4)
SCORES = ("precision", "recall", "f1")


def predicted(labels, pred_labels, num_classes):
    return Predictions(np.array(labels), np.eye(num_classes)[pred_labels] * 0.4 + 0.6 / num_classes)


def random_run(seed, num_classes=3, num_rows=40):
    generator = np.random.default_rng(seed)
    labels = np.arange(num_rows) % 7 % num_classes
    guesses = np.where(generator.random(num_rows) < 0.6, labels, generator.integers(0, num_classes, num_rows))
    return predicted(labels, guesses, num_classes)


def compare(before, after, groups=None):
    (pair,) = compare_predictions(
        {"before": before, "after": after},
        class_names=[f"class {index}" for index in range(before.num_classes)],
        groups=groups,
        resampling=RESAMPLING,
        min_difference=0.02,
    )
    return pair


def scores_of(run, rows=slice(None)):
    """Precision, recall and F1 by scikit-learn, NaN where one is not defined, (3, classes)."""
    labels = range(run.num_classes)
    found = precision_recall_fscore_support(
        run.labels[rows], run.pred_labels[rows], labels=labels, average=None, zero_division=np.nan
    )
    return np.stack(found[:3])


def test_by_hand():
    labels = [0, 0, 0, 0, 1, 1]
    x, y = compare(predicted(labels, [0, 1, 1, 1, 1, 0], 2), predicted(labels, [0, 0, 0, 1, 1, 1], 2)).classes
    # Before: of 4 x 1 is found, and 2 rows are called x; of 2 y 1 is found, and 4 rows are called y.
    assert [getattr(x, name).reference for name in SCORES] == pytest.approx([1 / 2, 1 / 4, 2 / (4 + 2)])
    assert [getattr(y, name).reference for name in SCORES] == pytest.approx([1 / 4, 1 / 2, 2 / (2 + 4)])
    # After: of 4 x 3 are found, and 3 rows are called x; of 2 y 2 are found, and 3 rows are called y.
    assert [getattr(x, name).value for name in SCORES] == pytest.approx([1, 3 / 4, 6 / (4 + 3)])
    assert [getattr(y, name).value for name in SCORES] == pytest.approx([2 / 3, 1, 4 / (2 + 3)])
    assert x.f1.difference.value == pytest.approx(6 / 7 - 1 / 3)
    assert y.precision.difference.value == pytest.approx(2 / 3 - 1 / 4)
    assert (x.support, x.num_broken, x.num_fixed) == (4, 0, 2)
    assert (y.support, y.num_broken, y.num_fixed) == (2, 0, 1)


def test_a_perfect_run_scores_one():
    labels = [0, 1, 1, 2, 2, 2]
    for change in compare(predicted(labels, [0, 0, 0, 0, 0, 0], 3), predicted(labels, labels, 3)).classes:
        assert [getattr(change, name).value for name in SCORES] == [1, 1, 1]


def test_scores_are_scikit_learns():
    before, after = random_run(1), random_run(2)
    changes = compare(before, after).classes
    for number, name in enumerate(SCORES):
        found = [getattr(change, name) for change in changes]
        np.testing.assert_allclose([each.reference for each in found], scores_of(before)[number])
        np.testing.assert_allclose([each.value for each in found], scores_of(after)[number])


def test_intervals_are_those_of_an_explicit_loop():
    before, after = random_run(3), random_run(4)
    drawn = drawn_rows([f"row {row:02}" for row in range(40)], RESAMPLING)
    differences = np.array([scores_of(after, rows) - scores_of(before, rows) for rows in drawn])
    for index, change in enumerate(compare(before, after).classes):
        for number, name in enumerate(SCORES):
            expected = middle(differences[:, number, index], RESAMPLING)
            assert ends(getattr(change, name).difference) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_is_never_predicted_has_no_precision_and_no_f1_left():
    labels = [0, 0, 1, 1]
    _, change = compare(predicted(labels, labels, 2), predicted(labels, [0, 0, 0, 0], 2)).classes
    assert np.isnan(change.precision.value)
    assert np.isnan(change.precision.difference.value)
    assert (change.recall.value, change.f1.value, change.f1.difference.value) == (0, 0, -1)


def test_the_largest_change_of_a_probability_by_hand():
    labels = np.array([0, 1, 2])
    before = Predictions(labels, np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]))
    after = Predictions(labels, np.array([[0.5, 0.3, 0.2], [0.15, 0.15, 0.7], [0.2, 0.3, 0.5]]))
    # Of the second image: 0.05, 0.65 down and 0.6 up.
    assert compare(before, after).max_probability_change == pytest.approx(0.65)
    assert compare(after, before).max_probability_change == pytest.approx(0.65)
    assert compare(before, before).max_probability_change == 0
