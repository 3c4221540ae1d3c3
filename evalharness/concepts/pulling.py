"""From regions and what erasing them did to the evidence that the audit's pull takes, a category being a concept."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from evalharness.audit import BoolArray, PullEvidence
from evalharness.concepts.clustering import Assignment
from evalharness.records import FloatArray, IntArray


def gather_evidence(
    names: Sequence[str],
    *,
    assigned: Assignment,
    is_fit: BoolArray,
    photos: IntArray,
    gains: FloatArray,
    labels: IntArray,
    groups: Sequence[str],
) -> list[PullEvidence]:
    """What the photos that hold a concept say: a photo with several regions of it says the mean of theirs.

    Args:
        names: Of the concepts, by number from 0.
        assigned: The concept of each of n regions.
        is_fit: Regions of the half that concepts were made on, (n,): they say nothing here.
        photos: Position of each region's photo, (n,).
        gains: What each region adds to every class, (n, classes); NaN where it cannot be told.
        labels: Class index of every photo.
        groups: What is drawn together, per photo.
    """
    evidence = []
    for number, name in enumerate(names):
        own = assigned.is_assigned & ~is_fit & (assigned.clusters == number)
        positions, place = np.unique(photos[own], return_inverse=True)
        evidence.append(
            PullEvidence(
                name, labels[positions], _photo_means(gains[own], place, len(positions)), [groups[p] for p in positions]
            )
        )
    return evidence


def _photo_means(gains: FloatArray, place: npt.NDArray[np.intp], num_photos: int) -> FloatArray:
    """Means over each photo's regions that can tell, (photos, classes); NaN where none can."""
    can_tell = ~np.isnan(gains).any(axis=1)
    sums = np.zeros((num_photos, gains.shape[1]))
    np.add.at(sums, place[can_tell], gains[can_tell])
    counts = np.bincount(place[can_tell], minlength=num_photos)[:, None]
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
