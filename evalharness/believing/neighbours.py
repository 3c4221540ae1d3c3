"""A photo beside the evaluated ones: is it like any of them, and do those like it agree with the verdict?

`novelty`: a conformal p-value (Vovk et al. 2005; Bates et al. 2023 for outliers) of the mean distance to the nearest
evaluated photos (Sun et al. 2022). The new photo is among the neighbours of the evaluated ones as these are among each
other's, so that all are ranked alike and the p-value is exact where every photo stands alone, whatever the distances
are; a group counts as one, its photos sharing the weight.

`agreement`: the trust score (Jiang et al. 2018, NeurIPS), how much nearer the photos are whose true class is the
verdict than those of any other class.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalharness.records import FloatArray, IntArray

NUM_NEIGHBOURS = 5
COPY_QUANTILE = 0.01
"""A photo that is nearer to an evaluated one than 99 % of the evaluated ones are to any of another group is a copy."""
CHUNK_ELEMENTS = 2**23
"""Distances held at once."""
ROUNDING = 1e-9


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
        values = np.asarray(features, np.float64)
        bare = cls(values, units, np.empty((0, NUM_NEIGHBOURS)))
        nearest = [np.sort(_smallest(distances), axis=1) for _, distances in bare.own_distances()]
        return cls(values, units, np.concatenate(nearest))

    @property
    def num_groups(self) -> int:
        """How many independent photos there are."""
        return int(self.units.max()) + 1

    def own_distances(self) -> Iterator[tuple[slice, FloatArray]]:
        """A chunk of evaluated photos, and their distances to all, inf within their own groups."""
        size = max(1, CHUNK_ELEMENTS // len(self.features))
        for start in range(0, len(self.features), size):
            rows = slice(start, start + size)
            distances = self.distances(self.features[rows])
            yield rows, np.where(self.units[rows][:, None] == self.units, np.inf, distances)

    def distances(self, features: FloatArray) -> FloatArray:
        """Euclidean distances of photos (n, D) to the evaluated ones, (n, N)."""
        new, known = np.asarray(features, np.float64), self.features
        squares = (new**2).sum(axis=1)[:, None] + self._squares - 2 * new @ known.T
        return np.asarray(np.sqrt(np.maximum(squares, 0)))

    def copied_groups(self, distances: FloatArray) -> IntArray:
        """The group whose photo each new one is a copy of, saved anew perhaps; else -1, (n,).

        Args:
            distances: Of `distances`, (n, N).
        """
        limit = np.quantile(self.nearest[:, 0], COPY_QUANTILE)
        nearest = distances.argmin(axis=1)
        return np.where(distances[np.arange(len(distances)), nearest] < limit, self.units[nearest], -1)

    def novelty_p_values(self, distances: FloatArray, copied: IntArray) -> FloatArray:
        """How rare a photo as far away is among photos like the evaluated ones, above 0 to 1, (n,).

        Args:
            distances: Of `distances`, (n, N).
            copied: Of `copied_groups`: the group of a copy is left out, as if it had not been evaluated.
        """
        return np.array([self._p_value(row, group) for row, group in zip(distances, copied, strict=True)])

    def mean_distances(self, distances: FloatArray, copied: IntArray) -> FloatArray:
        """To the nearest evaluated photos of other groups than the one copied, (n,); arguments as above."""
        return _mean_nearest(np.where(copied[:, None] == self.units, np.inf, distances))

    def own_p_values(self) -> FloatArray:
        """The same of each evaluated photo, its own group left out, (N,)."""
        scores, weights = self.nearest.mean(axis=1), self._weights
        order = np.argsort(scores, kind="stable")
        below = np.concatenate([[0], np.cumsum(weights[order])])
        as_far = below[-1] - below[np.searchsorted(scores[order], scores * (1 - ROUNDING), side="left")]
        own = np.array(
            [weights[group := self.units == unit] @ (scores[group] >= score * (1 - ROUNDING))
             for unit, score in zip(self.units, scores, strict=True)]
        )  # fmt: skip
        return np.asarray((1 + as_far - own) / self.num_groups)

    def only(self, columns: slice) -> "Neighbours":
        """The same photos by some of their features, (N, d); who is nearest stays as it was by all."""
        return Neighbours(self.features[:, columns], self.units, self.nearest)

    @cached_property
    def _squares(self) -> FloatArray:
        """Squared lengths, (N,)."""
        return np.asarray((self.features**2).sum(axis=1))

    @cached_property
    def _weights(self) -> FloatArray:
        """Those of a group share 1, (N,)."""
        return np.asarray(1 / np.bincount(self.units)[self.units])

    def _p_value(self, row: FloatArray, copied: int) -> float:
        is_other = self.units != copied
        score = _smallest(row[None, is_other]).mean()
        # Each evaluated photo with the new one among its neighbours.
        pushed = np.minimum(row, self.nearest[:, -1])
        theirs = (self.nearest[:, :-1].sum(axis=1) + pushed) / NUM_NEIGHBOURS
        as_far = float(self._weights[is_other & (theirs >= score * (1 - ROUNDING))].sum())
        return (1 + as_far) / (1 + self.num_groups - (copied >= 0))


def agreement(distances: FloatArray, labels: IntArray, pred_labels: IntArray) -> FloatArray:
    """log(distance to the nearest of other classes / to the nearest of the verdict's class), (n,).

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
