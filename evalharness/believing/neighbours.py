"""The evaluated photos that are most like a photo, and whether they agree with its verdict."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evalharness.records import FloatArray, IntArray

NUM_NEIGHBOURS = 5
COPY_QUANTILE = 0.01
"""A photo that is nearer to an evaluated one than 99 % of the evaluated ones are to any of another group is a copy."""
CHUNK_ELEMENTS = 2**23
"""Distances held at once."""


@dataclass(frozen=True)
class Neighbours:
    """The evaluated photos, for distances of others to them."""

    features: FloatArray
    """(N, D)."""
    units: IntArray
    """Group of each, from 0 without gaps, (N,)."""
    nearest: FloatArray
    """Distances of each to its nearest ones of other groups, rising, (N, k)."""

    @classmethod
    def of(cls, features: FloatArray, units: IntArray) -> "Neighbours | None":
        """Measures the evaluated photos; None where one has too few others outside its group.

        Args:
            features: (N, D), finite.
            units: (N,).
        """
        if len(units) - np.bincount(units).max() < NUM_NEIGHBOURS:
            return None
        nearest = [np.sort(_smallest(distances), axis=1) for _, distances in distances_to_others(features, units)]
        return cls(np.asarray(features), units, np.concatenate(nearest))

    @property
    def num_groups(self) -> int:
        """How many independent photos there are."""
        return int(self.units.max()) + 1

    def distances(self, features: FloatArray) -> FloatArray:
        """Euclidean distances of photos (n, D) to the evaluated ones, (n, N)."""
        return measure_distances(features, self.features)

    def copied_groups(self, distances: FloatArray) -> IntArray:
        """The group whose photo each new one is a copy of, saved anew perhaps; else -1, (n,).

        Args:
            distances: Of `distances`, (n, N).
        """
        limit = np.quantile(self.nearest[:, 0], COPY_QUANTILE)
        nearest = distances.argmin(axis=1)
        return np.where(distances[np.arange(len(distances)), nearest] < limit, self.units[nearest], -1)

    def mean_distances(self, distances: FloatArray, copied: IntArray) -> FloatArray:
        """To the nearest evaluated photos, (n,).

        Args:
            distances: Of `distances`, (n, N).
            copied: Of `copied_groups`: the group of a copy is left out, as if it had not been evaluated.
        """
        return _mean_nearest(np.where(copied[:, None] == self.units, np.inf, distances))

    def means_beside(self, distances: FloatArray) -> FloatArray:
        """The mean distance of each evaluated photo to its nearest ones if a new photo were among them, (N,).

        Args:
            distances: Of the new photo, (N,).
        """
        pushed = np.minimum(distances, self.nearest[:, -1])
        return np.asarray((self.nearest[:, :-1].sum(axis=1) + pushed) / NUM_NEIGHBOURS)


def measure_distances(features: FloatArray, known: FloatArray) -> FloatArray:
    """Euclidean distances of photos (n, D) to others (N, D), (n, N)."""
    new, old = np.asarray(features, np.float64), np.asarray(known, np.float64)
    squares = (new**2).sum(axis=1)[:, None] + (old**2).sum(axis=1) - 2 * new @ old.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def distances_to_others(features: FloatArray, units: IntArray) -> Iterator[tuple[slice, FloatArray]]:
    """A chunk of photos (N, D), and their distances to all of them, inf within their own groups."""
    size = max(1, CHUNK_ELEMENTS // len(features))
    for start in range(0, len(features), size):
        rows = slice(start, start + size)
        distances = measure_distances(features[rows], features)
        distances[units[rows][:, None] == units] = np.inf
        yield rows, distances


def agreement(distances: FloatArray, labels: IntArray, pred_labels: IntArray) -> FloatArray:
    """log(distance to the nearest of other classes / to the nearest of the verdict's class), (n,).

    The trust score (Jiang et al. 2018, NeurIPS): how much nearer the photos are whose true class is the verdict.

    Args:
        distances: Of photos to evaluated ones, inf to those that do not count, (n, N).
        labels: True class index of the evaluated ones, (N,).
        pred_labels: Verdicts of the photos, (n,).

    Returns:
        NaN where no photo of the verdict's class, or of another, was evaluated.
    """
    is_same = np.asarray(labels) == np.asarray(pred_labels)[:, None]
    own, others = (_mean_nearest(np.where(chosen, distances, np.inf)) for chosen in (is_same, ~is_same))
    usable = np.isfinite(own) & np.isfinite(others) & (own > 0) & (others > 0)
    ratio = np.divide(others, own, out=np.ones_like(own), where=usable)
    return np.where(usable, np.log(ratio), np.nan)


def _mean_nearest(distances: FloatArray) -> FloatArray:
    """The mean of as many of the nearest as there are, (n,); inf without any."""
    nearest = _smallest(distances)
    known = np.isfinite(nearest)
    sums = np.where(known, nearest, 0).sum(axis=1)
    return np.asarray(np.divide(sums, known.sum(axis=1), out=np.full(len(sums), np.inf), where=known.any(axis=1)))


def _smallest(distances: FloatArray) -> FloatArray:
    k = min(NUM_NEIGHBOURS, distances.shape[1])
    return np.asarray(np.partition(distances, k - 1, axis=1)[:, :k])
