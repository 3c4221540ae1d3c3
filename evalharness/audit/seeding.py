"""Random numbers that belong to an image: the same in every run, in any order, on any machine."""

import hashlib

import numpy as np


def generator_for(*parts: str) -> np.random.Generator:
    """Seeds a generator from texts such as a `row_id` and a category.

    Args:
        parts: Different lists of texts give different generators; the empty list is one of them.
    """
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return np.random.default_rng(int.from_bytes(digest.digest(), "little"))
