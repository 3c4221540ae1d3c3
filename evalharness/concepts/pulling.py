"""From regions and what erasing them did to the evidence that the audit's pull takes, a category being a concept."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalharness.audit import BoolArray, PullEvidence
from evalharness.concepts.clustering import Assignment
from evalharness.records import FloatArray, IntArray

MIN_PHOTOS = 5
"""Of the fitting half, below which their mean chooses nothing: half of what a test takes."""


def gather_evidence(
    names: Sequence[str],
    *,
    assigned: Assignment,
    left_out: BoolArray,
    photos: IntArray,
    gains: FloatArray,
    labels: IntArray,
    groups: Sequence[str],
) -> list[PullEvidence]:
    """What the photos that hold a concept say: a photo with several regions of it says the mean of theirs.

    Args:
        names: Of the concepts, by number from 0.
        assigned: The concept of each of n regions.
        left_out: Regions of the other half, (n,): they say nothing here.
        photos: Position of each region's photo, (n,).
        gains: What each region adds to every class, (n, classes); NaN where it cannot be told.
        labels: Class index of every photo.
        groups: What is drawn together, per photo.
    """
    evidence = []
    for number, name in enumerate(names):
        own = assigned.is_assigned & ~left_out & (assigned.clusters == number)
        positions, place = np.unique(photos[own], return_inverse=True)
        evidence.append(
            PullEvidence(
                name, labels[positions], _photo_means(gains[own], place, len(positions)), [groups[p] for p in positions]
            )
        )
    return evidence


def choose_pairs(
    evidence: Sequence[PullEvidence], class_names: Sequence[str], *, least: float
) -> frozenset[tuple[str, str]]:
    """Chooses the pairs of concept and class that are worth a test: few tests need little correction.

    Args:
        evidence: Of the fitting half, so that the choice does not favour what is tested on the other.
        class_names: In the order of the outputs.
        least: Mean gain in photos of other classes above which a pair is chosen, in probability.
    """
    chosen = set()
    for found in evidence:
        for index, class_name in enumerate(class_names):
            gains = found.gains[(found.labels != index) & ~np.isnan(found.gains[:, index]), index]
            if len(gains) >= MIN_PHOTOS and gains.mean() > least:
                chosen.add((found.category, class_name))
    return frozenset(chosen)


def _photo_means(gains: FloatArray, place: npt.NDArray[np.intp], num_photos: int) -> FloatArray:
    """Means over each photo's regions that can tell, (photos, classes); NaN where none can."""
    can_tell = ~np.isnan(gains).any(axis=1)
    sums = np.zeros((num_photos, gains.shape[1]))
    np.add.at(sums, place[can_tell], gains[can_tell])
    counts = np.bincount(place[can_tell], minlength=num_photos)[:, None]
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
