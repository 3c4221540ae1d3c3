"""The texts of the page, and what the judge and the image reader say, in the languages of the page."""

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from evalharness.serving.page import read_file
from evalharness.serving.refusals import RefusalError

LANGUAGES = ("en", "ja")
QUALITY = re.compile(r"\s*;\s*q\s*=\s*")


@cache
def texts(language: str) -> dict[str, Any]:
    """All texts of a language, by key."""
    found: dict[str, Any] = json.loads(read_file(f"{language}.json"))
    return found


def choose_language(accepted: str) -> str:
    """The language of ours that a browser likes best; English if it likes none.

    Args:
        accepted: Its Accept-Language header.
    """
    liked = []
    for place, entry in enumerate(accepted.split(",")):
        name, *quality = QUALITY.split(entry.strip())
        try:
            weight = float(quality[0]) if quality else 1.0
        except ValueError:
            continue
        language = name.partition("-")[0].lower()
        if language in LANGUAGES and weight > 0:
            liked.append((-weight, place, language))
    return min(liked)[2] if liked else LANGUAGES[0]


def translate(sentences: Sequence[str], language: str) -> list[str]:
    """Sentences of the judge and the image reader; one that is not known stays English."""
    return [_translate(sentence, language) for sentence in sentences]


def refusal_text(refusal: RefusalError, language: str) -> str:
    """A refusal in the words of the page."""
    told = texts(language)["refusals"].get(refusal.code)
    if told is None:
        return str(refusal)
    values = {
        name: _translate(value, language) if name == "reason" else value for name, value in refusal.values.items()
    }
    return str(told.format(**values))


def _translate(sentence: str, language: str) -> str:
    for pattern, translated in _sentences(language):
        found = pattern.fullmatch(sentence)
        if found:
            return found.expand(translated)
    return sentence


@cache
def _sentences(language: str) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), told) for pattern, told in texts(language)["sentences"].items()]
