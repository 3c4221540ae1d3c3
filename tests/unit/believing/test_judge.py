"""The judge on made-up photos: what it promises holds, and it beats the confidence where a shortcut misleads."""

import numpy as np
import pytest
from made_up_photos import NUM_CLASSES, confidence_of, draw_photos, wrong_of
from scipy.stats import binom

from evalharness.believing import Evidence, FittedJudge, Guarantee, coverage_at_risk, fit_judge
from evalharness.believing.threshold import choose_threshold

GUARANTEE = Guarantee(0.05, 0.9)
NUM_SPLITS = 60


@pytest.fixture(scope="module")
def photos():
    return draw_photos(500, 0)


@pytest.fixture(scope="module")
def fitted(photos):
    evidence, labels = photos
    return fit_judge(evidence, labels, np.arange(len(labels)), GUARANTEE, seed=0)


def test_confident_mistakes_are_found_by_the_photos_around_them(photos, fitted):
    evidence, labels = photos
    wrong = wrong_of(evidence, labels)
    assert fitted.judge.risk.names[:2] == ("logit_confidence", "agreement")
    alone = coverage_at_risk(-confidence_of(evidence), wrong, 0.01)
    assert coverage_at_risk(fitted.judged.risks, wrong, 0.01) > alone + 0.1


def test_features_that_do_not_help_are_left_out(photos):
    evidence, labels = photos
    maps = np.random.default_rng(1).random((len(labels), 3, 3))
    noisy = fit_judge(
        Evidence(evidence.logits, evidence.features, evidence.texture, maps), labels, np.arange(len(labels)),
        GUARANTEE, seed=0,
    )  # fmt: skip
    assert "noise" in noisy.gains
    assert "noise" not in noisy.judge.risk.names


def test_without_mistakes_the_confidence_ranks_and_nothing_is_fitted():
    evidence, labels = draw_photos(200, 3, part_misled=0)
    right = Evidence(5 * np.eye(NUM_CLASSES)[labels] + evidence.logits / 100, evidence.features, evidence.texture)
    found = fit_judge(right, labels, np.arange(200), Guarantee(0.02, 0.9), seed=0)
    assert found.judge.risk.names == ("logit_confidence",)
    np.testing.assert_allclose(found.judged.risks, 1 - confidence_of(right))
    assert found.judge.threshold.num_wrong == 0
    assert found.judged.beliefs.count("believe") >= 190


@pytest.mark.exhaustive
def test_the_promise_of_the_whole_judge_holds_for_new_photos_in_as_many_splits_as_it_says():
    broken = 0
    for split in range(NUM_SPLITS):
        evidence, labels = draw_photos(250, 100 + split)
        new, new_labels = draw_photos(2000, 10_000 + split)
        judge = fit_judge(evidence, labels, np.arange(250), GUARANTEE, seed=split).judge
        is_believed = np.array(judge.judge(new).beliefs) == "believe"
        broken += is_believed.any() and wrong_of(new, new_labels)[is_believed].mean() > GUARANTEE.max_error
    # As many as this, or more, happen once in a thousand times if the promise holds.
    assert broken <= binom.ppf(0.999, NUM_SPLITS, 1 - GUARANTEE.confidence)


def test_the_promise_holds_for_new_photos_in_500_splits():
    broken = made = 0
    for split in range(500):
        evidence, labels = draw_photos(600, split)
        scores, wrong = 1 - confidence_of(evidence), wrong_of(evidence, labels)
        found = choose_threshold(scores[:200], wrong[:200], np.arange(200), max_error=0.1, confidence=0.9)
        if found.limit is not None:
            is_believed = scores[200:] <= found.limit
            made += 1
            broken += wrong[200:][is_believed].mean() > 0.1 + 2 * np.sqrt(0.09 / is_believed.sum())
    assert made > 100
    assert broken <= binom.ppf(0.999, 500, 0.1)


def test_what_is_far_or_of_another_texture_is_unknown_and_ordinary_photos_are_rarely(fitted):
    new, _ = draw_photos(1000, 5)
    beliefs = fitted.judge.judge(new).beliefs
    # 1 % by design; more than this once in a thousand times.
    assert beliefs.count("unknown") <= binom.ppf(0.999, 1000, 0.02)
    # As are the 2.5 % that nothing is believed of.
    rare = fitted.judge.judge(new).is_rare
    assert rare.sum() <= binom.ppf(0.999, 1000, 0.035)
    assert not any(belief == "believe" for belief, is_rare in zip(beliefs, rare, strict=True) if is_rare)
    far = Evidence(new.logits[:5], new.features[:5] + 40, new.texture[:5])
    flat = Evidence(new.logits[:5], new.features[:5], new.texture[:5] - 6)
    for odd in (far, flat):
        assert set(fitted.judge.judge(odd).beliefs) == {"unknown"}


def test_a_copy_of_an_evaluated_photo_is_judged_as_if_it_had_not_been_evaluated(photos, fitted):
    evidence, _ = photos
    copies = Evidence(evidence.logits[:50], evidence.features[:50] + 1e-4, evidence.texture[:50])
    judged = fitted.judge.judge(copies)
    np.testing.assert_allclose(judged.novelty_p_values, fitted.judged.novelty_p_values[:50], atol=0.02)
    np.testing.assert_allclose(judged.features["agreement"], fitted.judged.features["agreement"][:50], atol=0.01)


def test_stored_and_read_again_it_says_the_same(photos, fitted, tmp_path):
    labels = photos[1]
    np.savez(tmp_path / "judge.npz", **fitted.judge.to_arrays())
    with np.load(tmp_path / "judge.npz") as stored:
        read = FittedJudge.from_arrays(stored, features=photos[0].features, labels=labels, units=np.arange(len(labels)))
    new, _ = draw_photos(100, 9)
    first, second = fitted.judge.judge(new), read.judge(new)
    assert first.beliefs == second.beliefs
    np.testing.assert_array_equal(first.risks, second.risks)


def test_few_photos_promise_nothing_and_say_how_many_would_do():
    evidence, labels = draw_photos(15, 2)
    found = fit_judge(evidence, labels, np.arange(15), Guarantee(0.02, 0.9), seed=0)
    assert found.judge.threshold.limit is None
    assert found.judge.threshold.num_needed == 114
    assert set(found.judged.beliefs) == {"check"}
    assert not found.judge.can_tell_unknown


def test_groups_stay_in_one_fold_and_a_group_counts_once():
    evidence, _ = draw_photos(120, 4, part_misled=0)
    scores, wrong = 1 - confidence_of(evidence), np.zeros(120, bool)
    assert choose_threshold(scores, wrong, np.arange(120), max_error=0.02, confidence=0.9).limit is not None
    assert choose_threshold(scores, wrong, np.arange(120) // 2, max_error=0.02, confidence=0.9).limit is None


def test_photos_that_are_the_same_are_no_fault():
    evidence, labels = draw_photos(200, 8)
    features, texture = evidence.features.copy(), evidence.texture.copy()
    features[:8], texture[:8] = features[0], texture[0]
    same = Evidence(evidence.logits, features, texture)
    with np.errstate(all="raise"):
        found = fit_judge(same, labels, np.arange(200), GUARANTEE, seed=0)
    assert np.isfinite(found.judged.risks).all()
