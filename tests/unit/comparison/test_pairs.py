"""The paired comparison against SciPy, explicit loops and numbers worked out by hand."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from evalharness.audit import Resampling
from evalharness.comparison import compare_predictions, describe_pair, flips
from evalharness.metrics.predictions import Predictions

NAMES = ("x", "y", "z")
RESAMPLING = Resampling(num_resamples=100, confidence=0.9, seed=7)


def run(seed, num_rows=45, skill=1.0):
    generator = np.random.default_rng(seed)
    labels = np.arange(num_rows) % 3
    logits = generator.normal(size=(num_rows, 3)) + skill * np.eye(3)[labels]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(labels, probs)


def of_right_rows(is_right):
    """Predictions of two classes that are right exactly where asked."""
    is_right = np.asarray(is_right, bool)
    labels = np.zeros(len(is_right), int)
    return Predictions(labels, np.where(is_right[:, None], [0.8, 0.2], [0.3, 0.7]))


def compare(*runs, names=NAMES, groups=None, min_difference=0.02, resampling=RESAMPLING):
    return compare_predictions(
        {f"run{number}": each for number, each in enumerate(runs)},
        class_names=names[: runs[0].num_classes],
        groups=groups,
        resampling=resampling,
        min_difference=min_difference,
    )


def test_differences_and_intervals_are_those_of_an_explicit_loop_over_the_same_resamples():
    first, second = run(1), run(2, skill=1.5)
    (pair,) = compare(first, second)
    generator = np.random.default_rng(RESAMPLING.seed)
    drawn = generator.integers(0, 45, (RESAMPLING.num_resamples, 45))
    scores = {
        "accuracy": lambda p, rows: accuracy_score(p.labels[rows], p.pred_labels[rows]),
        "log_loss": lambda p, rows: log_loss(p.labels[rows], p.probs[rows], labels=[0, 1, 2]),
        "macro_f1": lambda p, rows: f1_score(
            p.labels[rows], p.pred_labels[rows], labels=[0, 1, 2], average="macro", zero_division=0
        ),
    }
    for name, score in scores.items():
        differences = [score(second, rows) - score(first, rows) for rows in drawn]
        found, everything = pair.metrics[name], np.arange(45)
        assert found.reference == pytest.approx(score(first, everything))
        assert found.value == pytest.approx(score(second, everything))
        assert found.difference.value == pytest.approx(found.value - found.reference)
        low, high = np.quantile(differences, (0.05, 0.95))
        assert (found.difference.ci_low, found.difference.ci_high) == pytest.approx((low, high))


def test_the_interval_of_a_class_is_that_of_an_explicit_loop():
    first, second = run(3), run(4)
    (pair,) = compare(first, second)
    drawn = np.random.default_rng(RESAMPLING.seed).integers(0, 45, (RESAMPLING.num_resamples, 45))
    for index, change in enumerate(pair.classes):
        recalls = [
            [(p.pred_labels[rows][p.labels[rows] == index] == index).mean() for p in (first, second)] for rows in drawn
        ]
        low, high = np.quantile(np.diff(recalls, axis=1), (0.05, 0.95))
        assert (change.recall.difference.ci_low, change.recall.difference.ci_high) == pytest.approx((low, high))
        of_class = first.labels == index
        broken = of_class & (first.pred_labels == index) & (second.pred_labels != index)
        assert change.num_broken == broken.sum()
        assert change.support == 15
    assert sum(change.num_broken for change in pair.classes) == pair.num_broken
    assert sum(change.num_fixed for change in pair.classes) == pair.num_fixed


def test_mcnemar_counts_the_discordant_rows_alone():
    before = of_right_rows([1] * 30 + [1] * 2 + [0] * 9 + [0] * 9)
    after = of_right_rows([1] * 30 + [0] * 2 + [1] * 9 + [0] * 9)
    (pair,) = compare(before, after)
    assert (pair.num_broken, pair.num_fixed) == (2, 9)
    assert pair.p_value == pytest.approx(binomtest(2, 11, 0.5).pvalue)
    assert pair.discordant_rate == 11 / 50
    broken, fixed = flips(before, after)
    assert broken.tolist() == [30, 31]
    assert fixed.tolist() == list(range(32, 41))


def test_holm_over_three_runs_by_hand():
    before = of_right_rows([0] * 40)
    # Exact McNemar with k fixed and none broken: 2 / 2^k.
    runs = [of_right_rows([1] * k + [0] * (40 - k)) for k in (6, 7, 3)]
    pairs = compare(before, *runs)
    p_values = [2 / 2**6, 2 / 2**7, 2 / 2**3]
    assert [pair.p_value for pair in pairs] == pytest.approx(p_values)
    # The smallest times 3, the next times 2, the largest times 1.
    assert [pair.p_holm for pair in pairs] == pytest.approx([2 * p_values[0], 3 * p_values[1], p_values[2]])
    assert [pair.outcome for pair in pairs] == ["better", "better", "probably better"]
    assert "after Holm's correction over 3 runs" in describe_pair(pairs[0], 3)


def test_correction_takes_back_a_verdict():
    before = of_right_rows([0] * 40)
    barely, nothing = of_right_rows([1] * 5 + [0] * 35), of_right_rows([1] * 1 + [0] * 39)
    (alone,) = compare(before, barely)
    assert alone.p_value == pytest.approx(2 / 2**5)
    assert alone.outcome == "better"
    weaker = compare(before, barely, nothing)[0]
    assert weaker.outcome == "probably better"
    assert "run1 is probably better than run0: accuracy" in describe_pair(weaker, 2)
    assert "To tell a difference of 2 points" in describe_pair(weaker, 2)


def test_worse_is_better_the_other_way_round():
    runs = of_right_rows([1] * 40), of_right_rows([0] * 12 + [1] * 28)
    (worse,), (better,) = compare(*runs), compare(*reversed(runs))
    assert (worse.outcome, better.outcome) == ("worse", "better")
    assert worse.metrics["accuracy"].difference.value == -better.metrics["accuracy"].difference.value
    assert "run1 is worse than run0: accuracy 70.0% against 100.0%" in describe_pair(worse, 1)


@pytest.mark.parametrize("num_fixed", [1, 3, 5, 9])
def test_the_verdict_is_that_of_the_accuracy_in_the_table(num_fixed):
    for pair in compare(of_right_rows([0] * 40), of_right_rows([1] * num_fixed + [0] * (40 - num_fixed))):
        assert pair.metrics["accuracy"].outcome == pair.outcome


def test_a_run_beside_itself_has_no_difference():
    (pair,) = compare(run(1), run(1))
    assert pair.outcome == "no difference"
    assert (pair.p_value, pair.num_broken, pair.num_fixed) == (1.0, 0, 0)
    assert pair.metrics["ece"].difference.ci_low == pair.metrics["ece"].difference.ci_high == 0
    assert describe_pair(pair, 1).startswith("No difference")


def test_groups_are_drawn_together_and_can_take_back_a_verdict():
    """Forty copies of one photo are one photo."""
    before = of_right_rows([1] * 10 + [0] * 8)
    after = of_right_rows([1] * 10 + [1] * 8)
    groups = [f"own{number}" for number in range(10)] + ["copies"] * 8
    assert compare(before, after)[0].outcome == "better"
    grouped = compare(before, after, groups=groups)[0]
    assert grouped.p_value < 0.05
    assert grouped.metrics["accuracy"].difference.ci_low == 0
    assert grouped.outcome == "cannot tell"


def test_the_number_of_images_that_would_tell():
    before = of_right_rows([1] * 95 + [0] * 5)
    after = of_right_rows([1] * 93 + [0] * 2 + [1] * 3 + [0] * 2)
    (pair,) = compare(before, after)

    def connor(quantile):
        """At discordance 5 %, difference 2 points and 80 % power."""
        by_chance, under = quantile * np.sqrt(0.05), 0.841621 * np.sqrt(0.05 - 0.02**2)
        return np.ceil(((by_chance + under) / 0.02) ** 2)

    # The verdict is a test at 10 % here; of two runs, each at 5 % for Holm's first step.
    assert pair.num_images_to_tell == connor(1.644854)
    assert [pair.num_images_to_tell for pair in compare(before, after, after)] == [connor(1.959964)] * 2
    assert f"about {pair.num_images_to_tell:,} images" in describe_pair(pair, 1)
    (agreeing,) = compare(before, after, min_difference=0.1)
    assert agreeing.num_images_to_tell is None
    assert "not to be expected" in describe_pair(agreeing, 1)
