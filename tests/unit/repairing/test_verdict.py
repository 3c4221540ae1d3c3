"""Which of the three sentences is said, and its reason."""

import pytest

from evalharness.audit import PullCell
from evalharness.records import Interval
from evalharness.repairing.verdict import PullChange, Verdict

NEW = PullCell("dog", "tulips", 60, Interval(0.3, 0.2, 0.4), 0.001, True, 0.0)


def change(after, *, fall=(0.3, 0.2, 0.4), is_tested=True, category="cat"):
    return PullChange(
        category, "roses", 57, Interval(0.316, 0.242, 0.395), Interval(*after), Interval(*fall), True, is_tested
    )


def verdict(*changes, gained=0.0, new=None):
    return Verdict(changes, new, gained, min_pull=0.1, min_difference=0.02)


def test_repaired():
    found = verdict(change((0.008, 0.001, 0.017)), gained=0.007)
    assert found.outcome == "repaired"
    assert found.sentence == (
        "Repaired: cat added +0.316 to the probability of roses and now adds +0.008 (+0.001 to +0.017) in 57 images "
        "of other classes; the limit is 0.1. Without a distractor the accuracy rose by 0.7 points."
    )


@pytest.mark.parametrize(
    ("after", "reason"),
    [((0.2, 0.15, 0.25), "the backbone itself carries it"), ((0.09, 0.05, 0.13), "too few photos tell")],
)
def test_better_and_why_it_is_not_repaired(after, reason):
    found = verdict(change(after, fall=(0.1, 0.05, 0.15)))
    assert found.outcome == "better, not repaired"
    assert found.sentence.startswith(f"Better, not repaired: {reason}")
    assert ("repair.export=DIR" in found.sentence) == (reason == "the backbone itself carries it")


def test_a_pull_that_went_elsewhere_is_not_repaired():
    found = verdict(change((0.0, -0.01, 0.01)), new=NEW)
    assert found.outcome == "better, not repaired"
    assert "now dog pulls to tulips (+0.300)" in found.sentence


def test_every_harmful_pull_must_be_repaired():
    assert verdict(change((0.0, -0.01, 0.01)), change((0.2, 0.1, 0.3), category="dog")).outcome != "repaired"


def test_too_few_photos_repair_nothing():
    few = change((0.0, float("nan"), float("nan")), fall=(0.3, float("nan"), float("nan")), is_tested=False)
    assert verdict(few).outcome == "not better"
    # An interval that is there is not enough where the pull was not tested.
    assert verdict(change((0.0, -0.01, 0.01), is_tested=False)).outcome != "repaired"


def test_no_sure_fall_is_not_better():
    found = verdict(change((0.3, 0.2, 0.4), fall=(0.02, -0.05, 0.09)))
    assert found.outcome == "not better"
    assert "not surely less" in found.sentence


@pytest.mark.parametrize(("gained", "outcome"), [(-0.02, "not better"), (-0.019, "repaired")])
def test_accuracy_without_a_distractor_must_hold(gained, outcome):
    found = verdict(change((0.0, -0.01, 0.01)), gained=gained)
    assert found.outcome == outcome
    assert f"fell by {-100 * gained:.1f} points" in found.sentence
