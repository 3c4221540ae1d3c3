"""How unlike the evaluated photos a photo is, as a conformal p-value.

Two distances to the nearest evaluated photos (Sun et al. 2022, ICML): by the model's features, and by plain statistics
of the pixels. Each is taken in units of what is rare among the evaluated photos, and the larger one counts: a sum would
hide a photo that is unlike in one of them alone.

The p-value (Vovk et al. 2005; Bates et al. 2023 for outliers) is exact where every photo stands alone, but for the
units and the covariance of the texture, which the evaluated photos alone set: the new photo is among the neighbours of
the evaluated ones as these are among each other's, so that all are ranked alike. A group counts as one, its photos
sharing the weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalharness.audit.novelty import conformal_p_values, num_to_tell
from evalharness.believing.neighbours import Neighbours
from evalharness.records import FloatArray, IntArray

RARE = 0.99
"""The unit of a distance: the one that so many evaluated photos do not exceed."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Novelty:
    """The evaluated photos in each space, for how far others are from them."""

    spaces: tuple[Neighbours, ...]
    """The same photos by other measures of them."""

    @property
    def num_groups(self) -> int:
        """How many independent photos there are."""
        return self.spaces[0].num_groups

    def can_tell(self, level: float) -> bool:
        """Whether there are enough groups for a part of `level` to be rare."""
        return self.num_groups >= num_to_tell(level)

    @cached_property
    def own_scores(self) -> FloatArray:
        """Of each evaluated photo beside those of other groups, (N,); about 1 is rare."""
        return self._larger([space.nearest.mean(axis=1) for space in self.spaces])

    def scores(self, distances: Sequence[FloatArray], copied: IntArray) -> FloatArray:
        """Of photos, (n,).

        Args:
            distances: To the evaluated photos in each space, (n, N).
            copied: The group whose photo each is a copy of, which is left out; else -1, (n,).
        """
        return self._larger(
            [space.mean_distances(own, copied) for space, own in zip(self.spaces, distances, strict=True)]
        )

    def p_values(self, scores: FloatArray, distances: Sequence[FloatArray], copied: IntArray) -> FloatArray:
        """How rare a photo as far away is among those like the evaluated ones, above 0 to 1, (n,).

        Args:
            scores: Of `scores`, whose other arguments follow.
            distances: To the evaluated photos in each space, (n, N).
            copied: The group whose photo each is a copy of, which is left out; else -1, (n,).
        """
        return np.array(
            [
                self._p_value(score, [own[row] for own in distances], group)
                for row, (score, group) in enumerate(zip(scores, copied, strict=True))
            ]
        )

    def own_p_values(self) -> FloatArray:
        """The same of each evaluated photo, its own group left out, (N,)."""
        units, scores = self.spaces[0].units, self.own_scores
        return conformal_p_values(scores, units, scores, [int(unit) for unit in units])

    def _p_value(self, score: float, distances: Sequence[FloatArray], copied: int) -> float:
        # Each evaluated photo with the new one among its neighbours.
        theirs = self._larger([space.means_beside(own) for space, own in zip(self.spaces, distances, strict=True)])
        is_as_far = (self.spaces[0].units != copied) & (theirs >= score * (1 - ROUNDING))
        return float((1 + self._weights[is_as_far].sum()) / (1 + self.num_groups - (copied >= 0)))

    def _larger(self, means: Sequence[FloatArray]) -> FloatArray:
        return np.asarray(np.max([mean / rare for mean, rare in zip(means, self._rare_distances, strict=True)], axis=0))

    @cached_property
    def _rare_distances(self) -> list[float]:
        found = [float(np.quantile(space.nearest.mean(axis=1), RARE)) for space in self.spaces]
        return [distance if distance > 0 else 1.0 for distance in found]

    @cached_property
    def _weights(self) -> FloatArray:
        """Those of a group share 1, (N,)."""
        units = self.spaces[0].units
        return np.asarray(1 / np.bincount(units)[units])
