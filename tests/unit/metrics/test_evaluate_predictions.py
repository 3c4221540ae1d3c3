"""The whole evaluation of labels and probabilities."""

import math
import warnings
from functools import cache

import numpy as np
import pytest
from oracles import CASES, oracle
from sklearn.metrics import confusion_matrix

from evalharness.metrics import METRICS, evaluate_predictions

HEADLINE = [
    "accuracy", "balanced_accuracy", "top2_accuracy", "macro_precision", "macro_recall", "macro_f1", "mcc", "log_loss",
    "brier", "ece", "roc_auc",
]  # fmt: skip


def evaluate(labels, probs, **values):
    names = [f"class {index}" for index in range(probs.shape[1])]
    defaults = {"groups": None, "num_resamples": 200, "confidence": 0.95, "seed": 123}
    return evaluate_predictions(labels, probs, class_names=names, **{**defaults, **values})


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_headline_is_the_table_in_its_order():
    assert list(evaluate(*CASES["plain"]).headline) == list(METRICS) == HEADLINE


def test_two_best_of_two_classes_say_nothing():
    names = list(evaluate(*CASES["two classes"]).headline)
    assert names == [name for name in HEADLINE if name != "top2_accuracy"]


@cache
def headline_of(case):
    return evaluate(*CASES[case], confidence=0.9, num_resamples=100).headline


@pytest.mark.parametrize("name", HEADLINE)
@pytest.mark.parametrize("case", ["plain", "rare class", "ties"])
def test_interval_is_that_of_a_loop_over_resampled_rows(name, case):
    labels, probs = CASES[case]
    drawn = np.random.default_rng(123).integers(0, len(labels), (100, len(labels)))
    values = [oracle(name, labels, probs, rows) for rows in drawn]
    interval = headline_of(case)[name]
    assert interval.value == pytest.approx(oracle(name, labels, probs), abs=1e-10)
    assert (interval.ci_low, interval.ci_high) == pytest.approx(np.nanpercentile(values, [5, 95]), abs=1e-10)


def test_undefined_resamples_are_counted():
    labels, probs = CASES["two classes"]
    drawn = np.random.default_rng(123).integers(0, len(labels), (200, len(labels)))
    num_undefined = sum(len(set(labels[rows])) == 1 for rows in drawn)
    headline = evaluate(labels, probs).headline
    assert num_undefined > 10
    assert headline["roc_auc"].num_undefined == num_undefined
    assert math.isfinite(headline["roc_auc"].ci_low)
    assert {interval.num_undefined for name, interval in headline.items() if name != "roc_auc"} == {0}


def test_one_class_in_the_labels():
    labels, probs = np.full(12, 2), CASES["plain"][1][:12]
    evaluation = evaluate(labels, probs)
    auc = evaluation.headline.pop("roc_auc")
    assert np.isnan([auc.value, auc.ci_low, auc.ci_high]).all()
    assert auc.num_undefined == 200
    assert np.isfinite([(row.value, row.ci_low, row.ci_high) for row in evaluation.headline.values()]).all()


@pytest.mark.parametrize("num_rows", [1, 2, 25])
def test_few_rows_of_many_classes(num_rows):
    generator = np.random.default_rng(0)
    probs = generator.dirichlet(np.ones(30), num_rows)
    evaluation = evaluate(generator.permutation(30)[:num_rows], probs)
    assert evaluation.confusion.sum() == num_rows
    assert math.isfinite(evaluation.headline["macro_f1"].ci_high)


def test_all_rows_alike_and_right():
    evaluation = evaluate(np.zeros(5, int), np.tile([0.9, 0.1], (5, 1)))
    assert evaluation.headline["accuracy"].ci_low == 1
    assert evaluation.headline["mcc"].value == 0


def test_groups_of_one_row_are_no_groups():
    labels, probs = CASES["plain"]
    names = [f"photos/{row:03d}.jpg" for row in range(len(labels))]
    grouped, plain = evaluate(labels, probs, groups=names), evaluate(labels, probs)
    assert grouped.headline == plain.headline
    assert [row.f1 for row in grouped.per_class] == [row.f1 for row in plain.per_class]


def test_the_order_of_rows_does_not_matter_where_groups_name_them():
    labels, probs = CASES["rare class"]
    groups = [f"photos/{row:03d}.jpg" for row in range(len(labels))]
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = evaluate(labels[order], probs[order], groups=[groups[row] for row in order])
    for name, interval in evaluate(labels, probs, groups=groups).headline.items():
        other = shuffled.headline[name]
        assert (interval.value, interval.ci_low, interval.ci_high) == pytest.approx(
            (other.value, other.ci_low, other.ci_high), abs=1e-12
        )


def test_groups_are_drawn_whole():
    labels, probs = CASES["plain"]
    groups = [f"burst {row // 12}" for row in range(60)]
    drawn = np.random.default_rng(9).integers(0, 5, (200, 5))
    hits = (probs.argmax(axis=1) == labels).reshape(5, 12).mean(axis=1)
    interval = evaluate(labels, probs, groups=groups, seed=9).headline["accuracy"]
    expected = np.percentile(hits[drawn].mean(axis=1), [2.5, 97.5])
    assert (interval.ci_low, interval.ci_high) == pytest.approx(expected, abs=1e-12)


def test_the_seed_decides():
    first, again, other = (evaluate(*CASES["plain"], seed=seed).headline["log_loss"] for seed in (1, 1, 2))
    assert first == again
    assert first.value == other.value
    assert first.ci_low != other.ci_low


def test_confusion_has_all_classes():
    labels, probs = CASES["absent class"]
    confusion = evaluate(labels, probs).confusion
    np.testing.assert_array_equal(confusion, confusion_matrix(labels, probs.argmax(axis=1), labels=range(5)))
    assert confusion.shape == (5, 5)
    assert confusion[4].sum() == 0 < confusion[:, 4].sum()


def test_per_class_says_undefined_where_the_macro_average_counts_a_zero():
    # Verdicts 0, 0, 1; class 2 has no row and no verdict, class 1 no row, class 0 both.
    evaluation = evaluate(np.array([0, 0, 0]), np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.1, 0.7, 0.2]]))
    first, second, third = evaluation.per_class
    assert (first.class_name, first.support, first.num_predicted) == ("class 0", 3, 2)
    assert (first.precision, first.recall, first.f1) == pytest.approx((1, 2 / 3, 4 / 5))
    assert (second.support, second.num_predicted, second.precision, second.f1) == (0, 1, 0, 0)
    assert math.isnan(second.recall)
    assert (third.support, third.num_predicted) == (0, 0)
    assert np.isnan([third.precision, third.recall, third.f1]).all()
    # Class 2 does not occur: it is in no average.
    assert evaluation.headline["macro_f1"].value == pytest.approx((4 / 5 + 0) / 2)
    assert (evaluation.averaged_classes, evaluation.classes_with_rows) == (("class 0", "class 1"), ("class 0",))


def test_calibration_bins_carry_the_headline_error():
    evaluation = evaluate(*CASES["ties"])
    assert len(evaluation.calibration_bins) == 15
    gaps = [count * abs(accuracy - confidence) for confidence, accuracy, count in evaluation.calibration_bins if count]
    assert sum(gaps) / 70 == pytest.approx(evaluation.headline["ece"].value)


def test_names_for_another_number_of_classes_are_refused():
    labels, probs = CASES["plain"]
    with pytest.raises(ValueError, match="2 class names for 5 columns"):
        evaluate_predictions(
            labels, probs, class_names=["a", "b"], groups=None, num_resamples=10, confidence=0.95, seed=1
        )
