"""Classes that the model knows and the rows do not have: in no average, in every resample alike, and told."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from evalharness.manifest import describe_averages
from evalharness.metrics import METRICS, evaluate_predictions
from evalharness.metrics.predictions import Predictions, Resamples

NAMES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
AVERAGES = ("balanced_accuracy", "macro_precision", "macro_recall", "macro_f1")


def probs_of(verdicts, num_classes=5):
    """Sure verdicts, and the rest spread evenly."""
    return np.eye(num_classes)[verdicts] * 0.6 + 0.4 / num_classes


def evaluate(labels, verdicts, **given):
    values = {"class_names": NAMES, "groups": None, "num_resamples": 300, "confidence": 0.95, "seed": 1, **given}
    return evaluate_predictions(np.array(labels), probs_of(verdicts), **values)


def manifest_of(evaluation):
    return {
        "classes": list(NAMES),
        "averaged_classes": list(evaluation.averaged_classes),
        "classes_with_rows": list(evaluation.classes_with_rows),
    }


def test_one_class_of_five_all_right():
    evaluation = evaluate([0] * 11, [0] * 11)
    for name in ("accuracy", *AVERAGES, "top2_accuracy"):
        found = evaluation.headline[name]
        assert (found.value, found.ci_low, found.ci_high) == (1, 1, 1)
    assert evaluation.averaged_classes == ("daisy",)


def test_by_hand_with_a_class_that_is_only_predicted():
    """Daisies 3 of 4 right, the fourth taken for a tulip; roses 1 of 2 right, the other taken for a daisy."""
    headline = evaluate([0, 0, 0, 0, 2, 2], [0, 0, 0, 4, 2, 0]).headline
    assert headline["macro_precision"].value == pytest.approx((3 / 4 + 1 / 1 + 0 / 1) / 3)
    assert headline["macro_recall"].value == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert headline["macro_f1"].value == pytest.approx((6 / 8 + 2 / 3 + 0 / 1) / 3)
    assert headline["balanced_accuracy"].value == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_every_resample_averages_over_the_classes_of_the_whole():
    """The one tulip and the one verdict for sunflowers are in some resamples only; scikit-learn on each, row by row."""
    labels, verdicts = np.array([0] * 8 + [2] * 5 + [4]), np.array([0] * 7 + [3] + [2] * 4 + [0] + [4])
    drawn = np.random.default_rng(0).integers(0, 14, (80, 14))
    counts = np.array([np.bincount(rows, minlength=14) for rows in drawn], float)
    resamples = Resamples(Predictions(labels, probs_of(verdicts)), counts)
    scores = {"macro_precision": precision_score, "macro_recall": recall_score, "macro_f1": f1_score}
    for name, score in scores.items():
        expected = [
            score(labels[rows], verdicts[rows], labels=[0, 2, 3, 4], average="macro", zero_division=0) for rows in drawn
        ]
        np.testing.assert_allclose(METRICS[name].resampled(resamples), expected, atol=1e-12)
    expected = [
        recall_score(labels[rows], verdicts[rows], labels=[0, 2, 4], average="macro", zero_division=0) for rows in drawn
    ]
    np.testing.assert_allclose(METRICS["balanced_accuracy"].resampled(resamples), expected, atol=1e-12)
    assert {frozenset(labels[rows]) for rows in drawn} > {frozenset({0, 2, 4})}


def test_columns_of_classes_that_do_not_occur_change_nothing():
    """Probabilities that leave two columns empty give the numbers of the three alone, intervals too."""
    generator = np.random.default_rng(3)
    labels, probs = generator.integers(0, 3, 40), generator.dirichlet(np.ones(3), 40)
    wide = np.zeros((40, 5))
    wide[:, [0, 2, 4]] = probs
    given = {"groups": None, "num_resamples": 100, "confidence": 0.9, "seed": 5}
    narrow = evaluate_predictions(labels, probs, class_names=list("abc"), **given).headline
    for name, found in evaluate_predictions(labels * 2, wide, class_names=NAMES, **given).headline.items():
        expected = narrow[name]
        assert (found.value, found.ci_low, found.ci_high) == pytest.approx(
            (expected.value, expected.ci_low, expected.ci_high), abs=1e-12
        )


def test_balanced_accuracy_is_macro_recall_where_only_labelled_classes_are_predicted():
    headline = evaluate([0] * 9 + [1] * 2 + [3], [0] * 7 + [1] * 3 + [0, 3]).headline
    assert headline["balanced_accuracy"] == headline["macro_recall"]


def test_averages_can_be_told_what_to_run_over():
    alone = Predictions(np.array([0, 0]), probs_of([0, 0]))
    with_another = Predictions(np.array([0, 0]), probs_of([0, 0]), averaged=np.array([0, 1]))
    assert METRICS["macro_f1"].value(alone) == 1
    assert METRICS["macro_f1"].value(with_another) == 0.5
    with pytest.raises(ValueError, match="all classes that occur"):
        Predictions(np.array([0, 1]), probs_of([0, 0]), averaged=np.array([0]))


def test_it_is_told_where_classes_do_not_occur():
    one = describe_averages(manifest_of(evaluate([0] * 5, [0] * 5)))
    assert one.startswith("Averages over 1 of 5 classes: dandelion, roses, sunflowers, tulips do not occur.")
    assert "All rows are of one class, daisy: ROC AUC is undefined" in one
    predicted = describe_averages(manifest_of(evaluate([0, 1, 2, 3], [0, 1, 2, 4])))
    assert predicted.startswith("Among the verdicts but not among the labels: tulips; zero in macro precision")
    four = describe_averages(manifest_of(evaluate([0, 1, 2, 3], [0, 1, 2, 2])))
    assert four == "Averages over 4 of 5 classes: tulips does not occur."
    assert describe_averages(manifest_of(evaluate([0, 1, 2, 3, 4], [0, 1, 2, 3, 3]))) == ""


def test_many_absent_classes_are_counted_and_an_older_manifest_says_nothing():
    names = [f"class {number}" for number in range(30)]
    text = describe_averages({"classes": names, "averaged_classes": names[:2], "classes_with_rows": names[:2]})
    assert "Averages over 2 of 30 classes: class 2, " in text
    assert text.endswith("class 11 and 18 more do not occur.")
    assert describe_averages({"classes": names}) == ""
