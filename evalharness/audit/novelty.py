"""How unlike an image is to those that a model was evaluated on, by the model's own features.

The score is the mean distance to the nearest evaluated images (Sun et al. 2022, ICML, who take the k-th); what is far
is told by the evaluated images themselves, each against those of other groups: photos of one scene are near each other,
and would make every new scene look far. A new image's place is a conformal p-value (Vovk et al. 2005; Bates et al. 2023
for outliers): it counts as one of them, so that of images like them a part of p at most has a p-value up to p.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, IntArray
from evalharness.statistics import resampling_units

scikit, neighbors = LazyModule("sklearn.metrics"), LazyModule("sklearn.neighbors")

NUM_NEIGHBOURS = 5
MIN_IMAGES = 20
"""With fewer nothing can be said of the 95th percentile of anything."""


@dataclass(frozen=True)
class Neighbourhood:
    """The evaluated images, to which new ones are compared."""

    index: Any
    """Of scikit-learn."""
    scores: FloatArray
    """Of each evaluated image among those of other groups, (N,)."""

    @classmethod
    def of(cls, features: FloatArray, groups: Sequence[str] | None = None) -> "Neighbourhood | None":
        """Scores every evaluated image against those of other groups; None where one has too few of these.

        Args:
            features: (N, D), finite; N at least `MIN_IMAGES`.
            groups: The group of each image; without it, every image for itself.
        """
        values = np.asarray(features, np.float64)
        if len(values) < MIN_IMAGES:
            raise ValueError(f"{len(values)} images are too few")
        units = resampling_units(groups, len(values))
        if len(values) - np.bincount(units).max() < NUM_NEIGHBOURS:
            return None

        def score(distances: FloatArray, start: int) -> FloatArray:
            own = units[start : start + len(distances)]
            others = np.where(own[:, None] == units, np.inf, distances)
            return np.asarray(np.partition(others, NUM_NEIGHBOURS - 1, axis=1)[:, :NUM_NEIGHBOURS].mean(axis=1))

        scores = np.concatenate(list(scikit.pairwise_distances_chunked(values, reduce_func=score)))
        return cls(neighbors.NearestNeighbors(n_neighbors=NUM_NEIGHBOURS).fit(values), scores)

    def score(self, features: FloatArray) -> FloatArray:
        """The mean distance of new images (n, D) to their nearest evaluated ones, (n,)."""
        distances, _ = self.index.kneighbors(np.asarray(features, np.float64))
        means: FloatArray = distances.mean(axis=1)
        return means


def conformal_p_values(
    stored: FloatArray, units: IntArray, values: FloatArray, own_units: Sequence[int | None] | None = None
) -> FloatArray:
    """How rare a value as high as each is among images like the stored ones, above 0 to 1; NaN for NaN.

    (1 + number of stored values that are as high) / (N + 1). Groups weigh as one each, since the images of one tell the
    same: each of k images counts 1 / k, and N is the number of groups.

    Args:
        stored: (N,), finite.
        units: The group of each, from 0 without gaps, (N,).
        values: (n,).
        own_units: The group of each value that is a stored image's own, which is left out of the comparison; else None.
    """
    weights = 1 / np.bincount(units)[units]
    order = np.argsort(stored, kind="stable")
    below = np.concatenate([[0], np.cumsum(weights[order])])
    as_high = below[-1] - below[np.searchsorted(stored[order], values, side="left")]
    num_groups = np.full(len(values), units.max() + 1)
    for place, own in enumerate(own_units or []):
        if own is not None:
            as_high[place] -= (stored[units == own] >= values[place]).mean()
            num_groups[place] -= 1
    return np.where(np.isnan(values), np.nan, (1 + as_high) / (num_groups + 1))


def num_to_tell(level: float) -> int:
    """Groups from which on a p-value can be as low as the level: 99 for 1 %."""
    return round(1 / level) - 1
