"""Compared runs are averaged over the same classes, whichever of them predicts a class that no row has."""

import numpy as np
import pytest

from evalharness.audit import Resampling
from evalharness.comparison import average_alike, compare_predictions, describe_averages
from evalharness.metrics.predictions import Predictions

NAMES = ("daisy", "dandelion", "roses", "tulips")
LABELS = np.array([0] * 10 + [1] * 10)


def run_of(verdicts):
    return Predictions(LABELS, np.eye(4)[verdicts] * 0.6 + 0.1)


def compared(*verdicts):
    return average_alike({f"run {number}": run_of(row) for number, row in enumerate(verdicts)})


def test_both_runs_are_averaged_over_what_occurs_in_either():
    """The first is right throughout; the second takes one daisy for a rose: three classes in both, by hand."""
    runs = compared(LABELS, np.where(np.arange(20) == 0, 2, LABELS))
    (pair,) = compare_predictions(
        runs, class_names=NAMES, groups=None, resampling=Resampling(num_resamples=50), min_difference=0.02
    )
    f1 = pair.metrics["macro_f1"]
    assert f1.reference == pytest.approx((1 + 1 + 0) / 3)
    assert f1.value == pytest.approx((18 / 19 + 1 + 0) / 3)
    assert f1.difference.value == pytest.approx(-1 / 19 / 3)
    assert f1.difference.ci_low <= f1.difference.value <= f1.difference.ci_high <= 0
    (sentence,) = describe_averages(runs, NAMES)
    assert sentence.startswith("Averages of all runs are over the same 3 of 4 classes: tulips does not occur among")


def test_a_third_run_gives_its_classes_to_all():
    runs = compared(LABELS, LABELS, np.where(np.arange(20) < 2, [2, 3] * 10, LABELS))
    assert all(run.averaged_classes.tolist() == [0, 1, 2, 3] for run in runs.values())
    assert describe_averages(runs, NAMES) == []


def test_runs_of_the_same_verdicts_differ_in_nothing():
    runs = compared(LABELS, LABELS)
    (pair,) = compare_predictions(
        runs, class_names=NAMES, groups=None, resampling=Resampling(num_resamples=50), min_difference=0.02
    )
    f1 = pair.metrics["macro_f1"]
    assert (f1.reference, f1.value, f1.difference.ci_low, f1.difference.ci_high) == (1, 1, 0, 0)
