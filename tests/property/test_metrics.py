"""Properties of metrics and statistics, for any predictions."""

import math
import re

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from evalharness.metrics import METRICS, class_order_warning, evaluate_predictions
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.metrics.probabilities import calibration_bins
from evalharness.statistics import holm, mcnemar_exact, paired_bootstrap, sign_flip_p_value

# Machines are shared, and scikit-learn checks its arguments at length: examples are few, and may take their time.
IN_TIME = settings(deadline=None, max_examples=30)
RANGES = {"mcc": (-1, 1), "log_loss": (0, 37), "brier": (0, 2)}


@st.composite
def predictions(draw, min_classes=2):
    """Few enough levels of probability for ties within and between rows."""
    num_classes, num_rows = draw(st.integers(min_classes, 6)), draw(st.integers(1, 25))
    scores = draw(arrays.arrays(np.int64, (num_rows, num_classes), elements=st.integers(0, 6))) + np.eye(num_classes)[0]
    labels = draw(arrays.arrays(np.int64, num_rows, elements=st.integers(0, num_classes - 1)))
    return Predictions(labels, scores / scores.sum(axis=1, keepdims=True))


def values_of(given_predictions):
    return {name: metric.value(given_predictions) for name, metric in METRICS.items() if has(metric, given_predictions)}


def has(metric, given_predictions):
    return given_predictions.num_classes >= metric.min_num_classes


def averages_over_the_classes_of_the_whole(given_predictions, rows):
    """Class after class: counts of the rows, 0/0 being zero."""
    labels, verdicts = given_predictions.labels.tolist(), given_predictions.probs.argmax(axis=1).tolist()
    pairs = [(labels[row], verdicts[row]) for row in rows]
    precisions, recalls, f1s, recalls_of_real = [], [], [], []
    for index in sorted({*labels, *verdicts}):
        hits = sum(label == verdict == index for label, verdict in pairs)
        support = sum(label == index for label, _ in pairs)
        num_predicted = sum(verdict == index for _, verdict in pairs)
        precisions.append(hits / num_predicted if num_predicted else 0)
        recalls.append(hits / support if support else 0)
        f1s.append(2 * hits / (support + num_predicted) if support + num_predicted else 0)
        recalls_of_real += recalls[-1:] if index in labels else []
    return {
        "macro_precision": np.mean(precisions),
        "macro_recall": np.mean(recalls),
        "macro_f1": np.mean(f1s),
        "balanced_accuracy": np.mean(recalls_of_real),
    }


def same(first, second):
    np.testing.assert_allclose([first[name] for name in second], list(second.values()), atol=1e-9, equal_nan=True)


@IN_TIME
@given(predictions(), st.data())
def test_resampled_metric_is_the_value_of_the_resampled_rows(given_predictions, data):
    num_rows = len(given_predictions.labels)
    counts = (
        data.draw(arrays.arrays(np.int64, (2, num_rows), elements=st.integers(0, 3))) + np.eye(num_rows, dtype=int)[0]
    )
    resamples = Resamples(given_predictions, counts.astype(float))
    resampled = {
        name: metric.resampled(resamples) for name, metric in METRICS.items() if has(metric, given_predictions)
    }
    for number, row in enumerate(counts):
        rows = np.repeat(np.arange(num_rows), row)
        same(
            {name: values[number] for name, values in resampled.items()},
            {
                **values_of(Predictions(given_predictions.labels[rows], given_predictions.probs[rows])),
                **averages_over_the_classes_of_the_whole(given_predictions, rows),
            },
        )


@IN_TIME
@given(predictions())
def test_values_stay_in_range(given_predictions):
    for name, value in values_of(given_predictions).items():
        low, high = RANGES.get(name, (0, 1))
        assert math.isnan(value) or low - 1e-12 <= value <= high + 1e-12
        assert name == "roc_auc" or math.isfinite(value)


@IN_TIME
@given(predictions(min_classes=3))
def test_two_guesses_are_no_worse_than_one(given_predictions):
    values = values_of(given_predictions)
    assert values["top2_accuracy"] >= values["accuracy"]


@IN_TIME
@given(predictions(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_their_multiplication_change_no_value(given_predictions, random):
    rows = list(range(len(given_predictions.labels))) * 3
    random.shuffle(rows)
    same(
        values_of(Predictions(given_predictions.labels[rows], given_predictions.probs[rows])),
        values_of(given_predictions),
    )


@IN_TIME
@given(predictions(), st.data())
def test_renaming_the_classes_changes_no_value(given_predictions, data):
    """Ties go to the first class, so they are broken first."""
    num_classes = given_predictions.num_classes
    order = np.array(data.draw(st.permutations(range(num_classes))))
    probs = given_predictions.probs + np.arange(num_classes) * 1e-4
    probs /= probs.sum(axis=1, keepdims=True)
    renamed = Predictions(np.argsort(order)[given_predictions.labels], probs[:, order])
    same(values_of(renamed), values_of(Predictions(given_predictions.labels, probs)))


@IN_TIME
@given(predictions())
def test_bins_hold_every_row_once_at_its_confidence(given_predictions):
    bins = calibration_bins(given_predictions)
    assert sum(row[2] for row in bins) == len(given_predictions.labels)
    for number, (confidence, accuracy, count) in enumerate(bins):
        assert (count == 0) == math.isnan(confidence) == math.isnan(accuracy)
        if count:
            assert number / 15 - 1e-12 < confidence <= (number + 1) / 15 + 1e-12


@IN_TIME
@given(predictions(), st.integers(0, 2**32), st.sampled_from([0.8, 0.95]))
def test_intervals_are_in_order_and_in_range(given_predictions, seed, confidence):
    evaluation = evaluate_predictions(
        given_predictions.labels, given_predictions.probs, class_names="abcdef"[: given_predictions.num_classes],
        groups=None, num_resamples=50, confidence=confidence, seed=seed,
    )  # fmt: skip
    assert evaluation.confusion.sum() == len(given_predictions.labels)
    for name, interval in evaluation.headline.items():
        low, high = RANGES.get(name, (0, 1))
        if interval.num_undefined == 50:
            assert math.isnan(interval.ci_low)
        else:
            assert low - 1e-9 <= interval.ci_low <= interval.ci_high <= high + 1e-9


@IN_TIME
@given(arrays.arrays(np.int64, st.integers(2, 6).map(lambda size: (size, size)), elements=st.integers(0, 50)))
def test_a_printed_order_is_one_of_the_classes_and_pays(confusion):
    names = [f"it's {index}" for index in range(len(confusion))]
    warning = class_order_warning(confusion, names)
    if warning is not None:
        (parsed,) = OverridesParser.create().parse_overrides([re.search(r'"(model\.classes=.*)"', warning).group(1)])
        order = [names.index(str(name)) for name in parsed.value()]
        assert sorted(order) == list(range(len(names)))
        gain = confusion[order, np.arange(len(order))].sum() - np.trace(confusion)
        assert gain > 0.2 * confusion.sum()


@IN_TIME
@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_lies_between_the_p_values_and_bonferroni(p_values):
    adjusted = holm(p_values)
    raw = np.array(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(raw)) + 1e-15).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


@IN_TIME
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_does_not_care_which_run_is_first(first, second):
    p_value = mcnemar_exact(first, second)
    assert 0 < p_value <= 1
    assert p_value == mcnemar_exact(second, first)


@IN_TIME
@given(arrays.arrays(np.float64, st.integers(0, 16), elements=st.integers(-5, 5).map(float)), st.floats(0.1, 10))
def test_sign_flip_does_not_care_about_scale_order_or_zeros(differences, scale):
    p_value = sign_flip_p_value(differences, num_permutations=2**16, seed=1)
    assert 0 < p_value <= 1
    assert sign_flip_p_value(differences[::-1] * scale, num_permutations=2**16, seed=1) == p_value
    assert sign_flip_p_value(np.append(differences, [0.0, 0.0]), num_permutations=2**16, seed=1) == p_value


@IN_TIME
@given(arrays.arrays(np.float64, st.integers(1, 20), elements=st.floats(-1, 1)), st.floats(-3, 3))
def test_paired_interval_holds_values_of_the_data_and_moves_with_them(differences, shift):
    interval = paired_bootstrap(differences, num_resamples=100)
    assert differences.min() - 1e-9 <= interval.ci_low <= interval.ci_high <= differences.max() + 1e-9
    moved = paired_bootstrap(differences + shift, num_resamples=100)
    np.testing.assert_allclose(
        [moved.value, moved.ci_low, moved.ci_high],
        np.array([interval.value, interval.ci_low, interval.ci_high]) + shift,
        atol=1e-9,
    )
