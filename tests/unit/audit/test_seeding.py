"""Generators that belong to texts, against digests of bytes written by hand."""

import hashlib
import itertools

import numpy as np
import pytest

from evalharness.audit.seeding import generator_for


def draw(*parts):
    return tuple(generator_for(*parts).integers(0, 2**63, 4).tolist())


def ways_to_split(text):
    """Every list of texts that are not empty and join to the text."""
    for cuts in itertools.product([False, True], repeat=len(text) - 1):
        places = [0, *(place for place, is_cut in enumerate(cuts, 1) if is_cut), len(text)]
        yield tuple(text[start:end] for start, end in itertools.pairwise(places))


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ((), b""),
        (("",), bytes(8)),
        (("a", "bc"), b"\x01\0\0\0\0\0\0\0a\x02\0\0\0\0\0\0\0bc"),
        (("ü",), b"\x02\0\0\0\0\0\0\0\xc3\xbc"),
        (("x" * 258,), b"\x02\x01\0\0\0\0\0\0" + b"x" * 258),
        (("\udcff",), b"\x03\0\0\0\0\0\0\0\xed\xb3\xbf"),
    ],
    ids=["none", "empty", "two", "umlaut", "long", "lone surrogate"],
)
def test_the_seed_is_the_digest_of_lengths_and_texts(parts, content):
    seed = int.from_bytes(hashlib.sha256(content).digest(), "little")
    assert draw(*parts) == tuple(np.random.default_rng(seed).integers(0, 2**63, 4).tolist())


def test_where_a_text_ends_matters():
    assert draw("a", "bc") != draw("ab", "c")
    splits = list(ways_to_split("dog/1.jpg"))
    assert len({draw(*parts) for parts in splits}) == len(splits) == 2**8


def test_empty_texts_and_their_places_matter():
    lists = [(), ("",), ("", ""), ("a",), ("a", ""), ("", "a"), ("a", "b"), ("b", "a")]
    assert len({draw(*parts) for parts in lists}) == len(lists)


def test_the_same_texts_draw_the_same():
    assert draw("control", "roses/1.jpg", "dog") == draw("control", "roses/1.jpg", "dog")
