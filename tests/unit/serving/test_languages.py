"""The page in two languages: the same texts in both, and everything that the judge says in Japanese."""

import string
from types import SimpleNamespace

import numpy as np
import pytest

from evalharness.believing import FittedJudge
from evalharness.inspecting.evaluated_images import PlaceAmong
from evalharness.inspecting.harmful_concepts import HarmfulConcepts
from evalharness.inspecting.judgement import NO_JUDGE, explain
from evalharness.serving.languages import choose_language, texts, translate


def keys(value, prefix=""):
    if not isinstance(value, dict):
        return {prefix}
    return set().union(*(keys(entry, f"{prefix}.{name}") for name, entry in value.items())) if value else set()


def fields(value):
    return {name for _, name, _, _ in string.Formatter().parse(value) if name}


def test_both_languages_have_the_same_texts_with_the_same_places():
    english, japanese = texts("en"), texts("ja")
    for name in ("key_table", "refusals", "sentences"):
        english, japanese = ({**told, name: {}} for told in (english, japanese))
    assert keys(english) == keys(japanese)
    assert len(texts("en")["key_table"]) == len(texts("ja")["key_table"])
    for name, text in english["script"].items():
        if isinstance(text, str):
            assert fields(text) == fields(japanese["script"][name])


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        ("en-GB,ja;q=0.9", "en"),
        ("fr,ja;q=0.2,en;q=0.1", "ja"),
        ("fr", "en"),
        ("", "en"),
        ("ja;q=0", "en"),
        ("ja;q=much,en", "en"),
        ("*", "en"),
    ],
)
def test_the_language_that_a_browser_likes_best(accepted, language):
    assert choose_language(accepted) == language


def is_japanese(sentence):
    return any("\u3040" <= letter <= "\u30ff" for letter in sentence)


@pytest.mark.parametrize("belief", ["believe", "check", "unknown"])
@pytest.mark.parametrize("limit", [0.051, 0.2, None])
@pytest.mark.parametrize("is_rare", [False, True])
def test_every_reason_of_the_judge_is_said_in_japanese(belief, limit, is_rare):
    judge = SimpleNamespace(
        guarantee=SimpleNamespace(max_error=0.02, confidence=0.9),
        threshold=SimpleNamespace(limit=limit, num_needed=114, num_wrong=3, num_believed=400),
    )
    features = ("logit_confidence", "margin", "agreement", "distance", "noise")
    for nearest in (0, 1):
        judged = SimpleNamespace(
            beliefs=[belief], is_rare=[is_rare], risks=[0.123], novelty_p_values=[0.004], nearest_labels=[nearest],
            effects={name: np.array([1.0]) for name in features},
        )  # fmt: skip
        found = explain(judge, judged, 0, probs=np.array([0.6, 0.4]), classes=("roses", "tulips"), concept=None)
        assert [told for told in translate(found.reasons, "ja") if not is_japanese(told)] == []
        assert translate(found.reasons, "en") == list(found.reasons)


def test_what_else_the_judge_says_is_said_in_japanese():
    concepts = HarmfulConcepts(None, 1, (), "", 2.0, 0.1, {3: "concept 3"}, {3: 1}, "mean")
    sentence = concepts._describe(("roses", "tulips"), SimpleNamespace(share=0.48), 3, np.array([2.0, 0.1]))
    place = PlaceAmong(0.5, 0.9999, 0.999, 500)
    said = [sentence, *NO_JUDGE.reasons, *place.warnings, "the map grad_attention is not defined for this image"]
    assert [told for told in translate(said, "ja") if not is_japanese(told)] == []


def test_the_stored_judge_is_what_the_sentences_are_of():
    # `explain` above gets a made-up judge: these are the names that it reads.
    assert {"guarantee", "threshold"} <= set(FittedJudge.__dataclass_fields__)


def test_a_sentence_that_is_not_known_stays():
    assert translate(["something new"], "ja") == ["something new"]
