"""Regions that are alike, by k-means on their features; and which of them a new region belongs to, if any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalharness.audit import BoolArray
from evalharness.concepts.features import normalise
from evalharness.records import FloatArray, IntArray

CHOICES = (8, 12, 16, 24, 32)
"""Numbers of clusters that are tried where none is given."""
MIN_REGIONS = 5
"""Regions a cluster, on the average, below which clusters would be accidents."""
NUM_STARTS = 10


@dataclass(frozen=True, slots=True)
class Assignment:
    """Which cluster each region belongs to."""

    clusters: IntArray
    """The nearest one, from 0, (n,)."""
    distances: FloatArray
    """To its centroid, (n,)."""
    is_assigned: BoolArray
    """Whether it is near enough to belong there, (n,)."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """Centroids of alike regions, the largest cluster first."""

    centre: FloatArray
    """Mean of the regions that they were made of, (D,): what is common to all regions tells none apart."""
    centroids: FloatArray
    """Of directions from the centre, (K, D)."""
    max_distance: float
    """From where on a region belongs to none."""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Clusters":
        """From what `to_arrays` gave, as `np.load` reads it."""
        centre, centroids = (np.asarray(stored[name], np.float64) for name in ("centre", "centroids"))
        return cls(centre, centroids, float(stored["max_distance"]))

    def to_arrays(self) -> dict[str, Any]:
        """For `np.savez`."""
        return {
            "centre": np.asarray(self.centre, np.float32),
            "centroids": np.asarray(self.centroids, np.float32),
            "max_distance": self.max_distance,
        }

    def assign(self, features: FloatArray) -> Assignment:
        """Assigns regions to the nearest centroid, by their features (n, D)."""
        values = _directions(features, self.centre)
        squares = (values**2).sum(axis=1)[:, None] + (self.centroids**2).sum(axis=1) - 2 * values @ self.centroids.T
        distances = np.sqrt(np.maximum(squares, 0))
        nearest = distances.argmin(axis=1)
        least = distances[np.arange(len(values)), nearest]
        return Assignment(nearest, least, least <= self.max_distance)


def largest_num_clusters(num_regions: int) -> int:
    """The most clusters that so many regions are enough for."""
    return num_regions // MIN_REGIONS


def fit_clusters(
    features: FloatArray, *, num_clusters: int | None = None, quantile: float = 0.95, seed: int = 0
) -> Clusters:
    """Clusters regions by k-means on the directions in which they lie from their mean.

    Args:
        features: Of the fitting half alone, (n, D).
        num_clusters: K; None: that of `CHOICES` with the highest mean silhouette (Rousseeuw 1987).
        quantile: Of the distances of these regions to their centroids: the largest at which a region belongs.
        seed: Of the starts.

    Raises:
        ValueError: Fewer regions than `MIN_REGIONS` a cluster.
    """
    centre: FloatArray = np.asarray(features, np.float64).mean(axis=0)
    values = _directions(features, centre)
    most = largest_num_clusters(len(values))
    wanted = num_clusters or CHOICES[0]
    if wanted > most:
        raise ValueError(f"{len(values)} regions are too few for {wanted} clusters")
    fitted = _fit(values, num_clusters, seed) if num_clusters else _fit_best(values, most, seed)
    order = np.argsort(-np.bincount(fitted.labels_), kind="stable")
    clusters = Clusters(centre, fitted.cluster_centers_[order], np.inf)
    distances = clusters.assign(features).distances
    # Rounding must not leave a region of the fitting half out that lies on the limit.
    return Clusters(centre, clusters.centroids, float(np.quantile(distances, quantile)) + 1e-9)


def _directions(features: FloatArray, centre: FloatArray) -> FloatArray:
    return normalise(np.asarray(features, np.float64) - centre)


def _fit_best(values: FloatArray, most: int, seed: int):  # type: ignore[no-untyped-def]
    from sklearn.metrics import silhouette_score

    fits = [_fit(values, number, seed) for number in CHOICES if number <= most]
    return max(fits, key=lambda fitted: silhouette_score(values, fitted.labels_))


def _fit(values: FloatArray, num_clusters: int, seed: int):  # type: ignore[no-untyped-def]
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    # On a busy machine the threads of so small a problem wait for each other a hundred times longer than they work.
    with threadpool_limits(1, user_api="openmp"):
        return KMeans(num_clusters, n_init=NUM_STARTS, random_state=seed).fit(values)
