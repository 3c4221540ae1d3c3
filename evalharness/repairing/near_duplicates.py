"""Training photos that are nearly the same as evaluated ones: another file, and yet nothing is proved by them."""

from collections.abc import Mapping

import numpy as np
from sklearn.neighbors import NearestNeighbors

from evalharness.console import warn
from evalharness.model import LayerName
from evalharness.records import FloatArray
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.training_photos import TrainingPhotos

NEAR = 0.4
"""Part of the usual distance between an evaluated photo and the one nearest to it.

In the bundled example photos of other scenes begin at 0.57; of photos that were saved again as JPEG of quality 60, or
at 0.7 of their size, nine of ten lie below 0.42.
"""
MAX_NAMED = 3


def warn_of_near_duplicates(
    evaluation: Evaluation,
    training: TrainingPhotos,
    evaluated: Mapping[LayerName, FloatArray],
    shown: Mapping[LayerName, FloatArray],
) -> None:
    """Warns of training photos whose features nearly equal those of an evaluated photo.

    Args:
        evaluation: Its rows come first among `evaluated`.
        training: Its photos as they are come first among `shown`.
        evaluated: Features (shots, D) by layer.
        shown: The same of the training photos.
    """
    name = next(iter(evaluated))
    near = find_near(evaluated[name][: len(evaluation.samples)], shown[name][: len(training.samples)])
    if not near:
        return
    pairs = ", ".join(
        f"{training.samples[own].row_id} and {evaluation.samples[other].row_id}" for own, other in near[:MAX_NAMED]
    )
    more = f" and {len(near) - MAX_NAMED} more" if len(near) > MAX_NAMED else ""
    warn(f"{len(near)} training photos are nearly the same as evaluated ones: {pairs}{more}. Take them out if they are")


def find_near(evaluated: FloatArray, shown: FloatArray) -> list[tuple[int, int]]:
    """Pairs (position in `shown`, position in `evaluated`), the nearest first.

    Args:
        evaluated: Features (n, D), n at least 2.
        shown: Features (m, D).
    """
    index = NearestNeighbors(n_neighbors=2).fit(evaluated)
    usual = np.median(index.kneighbors(evaluated)[0][:, 1])
    distances, places = index.kneighbors(shown, n_neighbors=1)
    near = np.flatnonzero(distances[:, 0] < NEAR * usual)
    return [(int(own), int(places[own, 0])) for own in near[np.argsort(distances[near, 0], kind="stable")]]
