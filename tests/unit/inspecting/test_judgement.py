"""Why a verdict may be believed, or not, in words."""

from types import SimpleNamespace

import numpy as np
import pytest

from evalharness.inspecting.judgement import explain

JUDGE = SimpleNamespace(
    guarantee=SimpleNamespace(max_error=0.02, confidence=0.9),
    threshold=SimpleNamespace(limit=0.05, num_needed=114, num_wrong=3, num_believed=400),
)


def reasons_of(belief, *, risk, p_value, is_rare):
    judged = SimpleNamespace(
        beliefs=[belief], risks=[risk], novelty_p_values=[p_value], is_rare=[is_rare], nearest_labels=[0],
        effects={"logit_confidence": np.array([1.0])},
    )  # fmt: skip
    return explain(JUDGE, judged, 0, probs=np.array([0.6, 0.4]), classes=("roses", "tulips"), concept=None).reasons


def test_a_photo_that_is_only_too_far_is_told_that_alone():
    (reason,) = reasons_of("check", risk=0.01, p_value=0.018, is_rare=True)
    assert reason == (
        "little like the evaluated photos: of photos like the evaluated ones 1.8% are as far from the others "
        "(believed: above 2.5%)"
    )


def test_one_that_is_risky_too_is_told_both():
    far, risky, low = reasons_of("check", risk=0.2, p_value=0.018, is_rare=True)
    assert far.startswith("little like")
    assert risky.startswith("risk 20.0%")
    assert low == "the confidence is low (0.60)"


@pytest.mark.parametrize(
    ("belief", "risk", "p_value", "start"),
    [
        ("believe", 0.01, 0.4, "of believed verdicts at most 2 %"),
        ("check", 0.2, 0.4, "risk 20.0%"),
        ("unknown", 0.01, 0.004, "unlike anything that was evaluated"),
    ],
)
def test_the_first_reason_is_the_one_that_decided(belief, risk, p_value, start):
    assert reasons_of(belief, risk=risk, p_value=p_value, is_rare=p_value < 0.025)[0].startswith(start)
