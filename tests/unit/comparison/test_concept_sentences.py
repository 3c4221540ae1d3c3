from types import SimpleNamespace

import pandas as pd
import pytest

from evalharness.comparing.concepts import COLUMNS, _describe


def run_with(name, *concepts):
    return SimpleNamespace(
        name=name, result=SimpleNamespace(manifest={"findings": {"concepts": {"concepts": concepts}}})
    )


def concept(name, *, is_harmful=True):
    return {
        "name": name, "is_harmful": is_harmful, "shortcut": {"class_name": "roses", "pull": {"value": 0.491}},
    }  # fmt: skip


def row(reference, matched, *, is_harmful_reference=False, is_harmful=False):
    return (
        "now", reference, matched, "photos", 0.64, "roses", 0.3, 0.02, 0.5, is_harmful_reference, is_harmful,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("matched", "expected"),
    [
        (
            "concept 12",
            (
                "concept 1 of before adds +0.300 to the probability of roses; what is most like it in now is "
                "concept 12 (64% by photos), which adds +0.020."
            ),
        ),
        ("concept 3", "concept 12 of now adds +0.491 to the probability of roses; no concept of before is like it."),
    ],
)
def test_a_harmful_concept_is_always_told(matched, expected):
    table = pd.DataFrame([row("concept 1", matched, is_harmful=matched == "concept 12")], columns=COLUMNS)
    now = run_with("now", concept("concept 12"), concept("concept 3", is_harmful=False))
    assert _describe(run_with("before"), now, table) == [expected]


def test_harmless_concepts_are_not_told():
    table = pd.DataFrame([row("concept 1", "concept 3")], columns=COLUMNS)
    assert _describe(run_with("before"), run_with("now", concept("concept 3", is_harmful=False)), table) == []
