"""Photos of a made-up model: two-dimensional features, classes that lie apart, a shortcut that moves some of them."""

import numpy as np
from scipy.special import softmax

from evalharness.believing import Evidence

NUM_CLASSES = 3
CENTRES = 4 * np.eye(NUM_CLASSES)


def draw_photos(num: int, seed: int, *, part_misled: float = 0.1):
    """Evidence and labels; misled photos get a confident verdict of class 0 and lie beside the others of it."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, NUM_CLASSES, num)
    features = CENTRES[labels] + generator.normal(0, 1, (num, NUM_CLASSES))
    logits = 2 * features + generator.normal(0, 1, (num, NUM_CLASSES))
    is_misled = generator.random(num) < part_misled
    logits[is_misled, 0] += 12
    texture = generator.normal(0, 0.3, (num, 7)).astype(np.float32)
    return Evidence(logits, features.astype(np.float32), texture), labels


def wrong_of(evidence: Evidence, labels):
    return evidence.pred_labels != labels


def confidence_of(evidence: Evidence):
    return softmax(evidence.logits, axis=1).max(axis=1)
