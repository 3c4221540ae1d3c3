import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evalharness.audit import Resampling, predict_mistakes
from evalharness.audit.mistakes import _weighted_auroc


def test_by_hand():
    found = predict_mistakes("entropy", np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    # Pairs of wrong and right: 0.9 wins twice, 0.5 ties once and wins once.
    assert found.auroc.value == pytest.approx(3.5 / 4)
    assert (found.num_images, found.num_wrong) == (4, 2)
    assert found.auroc.num_undefined > 0


def test_resamples_are_scikit_learns():
    generator = np.random.default_rng(2)
    scores, wrong = generator.integers(0, 8, 50).astype(float), generator.random(50) > 0.7
    counts = generator.multinomial(50, np.full(50, 1 / 50), 20).astype(float)
    expected = [roc_auc_score(wrong, scores, sample_weight=weights) for weights in counts]
    np.testing.assert_allclose(_weighted_auroc(scores, wrong, counts), expected)


def test_undefined_when_all_are_right_or_all_wrong():
    scores = np.array([0.1, 0.2, 0.3])
    for wrong, word in ((np.zeros(3, bool), "right"), (np.ones(3, bool), "wrong")):
        found = predict_mistakes("gini", scores, wrong)
        assert np.isnan([found.auroc.value, found.auroc.ci_low]).all()
        assert found.sentence == f"Whether gini predicts mistakes cannot be told: all 3 answers are {word}."
    assert "no image has a score" in predict_mistakes("gini", np.full(3, np.nan), np.zeros(3, bool)).sentence


def test_images_without_score_are_left_out():
    scores, wrong = np.array([np.nan, 0.9, 0.1, np.nan]), np.array([True, True, False, False])
    found = predict_mistakes("gini", scores, wrong)
    assert (found.num_images, found.num_wrong, found.auroc.value) == (2, 1, 1)


def test_sentences():
    generator = np.random.default_rng(1)
    wrong = np.arange(100) % 2 == 0
    noise = generator.normal(size=100)
    assert predict_mistakes("entropy", noise + 2 * wrong, wrong).sentence.startswith(
        "Wrong answers have a higher entropy"
    )
    assert predict_mistakes("entropy", noise - 2 * wrong, wrong).sentence.startswith(
        "Wrong answers have a lower entropy"
    )
    same = predict_mistakes("entropy", noise, wrong)
    assert same.sentence.startswith("entropy does not tell wrong answers from right ones (AUROC 0.")
    assert "50 of 100 wrong" in same.sentence


def test_groups_are_drawn_together():
    scores = np.tile([0.9, 0.1], 10)
    wrong = np.tile([True, False], 10)
    groups = ["a"] * 10 + ["b"] * 10
    found = predict_mistakes("gini", scores, wrong, groups=groups, resampling=Resampling(num_resamples=200))
    assert (found.auroc.ci_low, found.auroc.ci_high, found.auroc.num_undefined) == (1, 1, 0)
