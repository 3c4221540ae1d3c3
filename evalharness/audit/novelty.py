"""How unlike an image is to those that a model was evaluated on, by the model's own features.

The score is the mean distance to the nearest evaluated images (Sun et al. 2022, ICML, who take the k-th); what is far
is told by the evaluated images themselves, each against the others.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.neighbors import NearestNeighbors

from evalharness.records import FloatArray

NUM_NEIGHBOURS = 5
MIN_IMAGES = 20
"""With fewer nothing can be said of the 95th percentile of anything."""


@dataclass(frozen=True)
class Neighbourhood:
    """The evaluated images, to which new ones are compared."""

    index: NearestNeighbors
    scores: FloatArray
    """Of each evaluated image among the others, (N,)."""

    @classmethod
    def of(cls, features: FloatArray) -> "Neighbourhood":
        """Scores every evaluated image against the others, itself left out.

        Args:
            features: (N, D), finite; N at least `MIN_IMAGES`.
        """
        values = np.asarray(features, np.float64)
        if len(values) < MIN_IMAGES:
            raise ValueError(f"{len(values)} images are too few")
        index = NearestNeighbors(n_neighbors=NUM_NEIGHBOURS).fit(values)
        # Without an argument the image itself is left out.
        distances, _ = index.kneighbors()
        return cls(index, distances.mean(axis=1))

    def score(self, features: FloatArray) -> FloatArray:
        """The mean distance of new images (n, D) to their nearest evaluated ones, (n,)."""
        distances, _ = self.index.kneighbors(np.asarray(features, np.float64))
        means: FloatArray = distances.mean(axis=1)
        return means


def place_among(stored: FloatArray, values: FloatArray) -> FloatArray:
    """The part of the stored values that lies below each value, 0 to 1; NaN for NaN.

    Args:
        stored: (N,), finite.
        values: (n,).
    """
    places = np.searchsorted(np.sort(stored), values, side="left") / len(stored)
    return np.where(np.isnan(values), np.nan, places)
