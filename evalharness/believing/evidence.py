"""What is known of a photo before its verdict is judged, as numbers."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from evalharness.audit import NOISE_MEASURES
from evalharness.believing.neighbours import agreement, distances_to_others
from evalharness.believing.risk import FIRST
from evalharness.records import FloatArray, IntArray

NOISE = "entropy"
MIN_PHOTOS = 20
"""Fewer say nothing of what is usual."""


@dataclass(frozen=True)
class Evidence:
    """Of n photos."""

    logits: FloatArray
    """(n, C)."""
    features: FloatArray
    """What the head reads, (n, D)."""
    texture: FloatArray
    """Of `measure_texture`, (n, 7)."""
    maps: FloatArray | None = None
    """Densities, (n, grid rows, grid columns); None without a map."""
    harmful_share: FloatArray | None = None
    """Part of the map on harmful concepts that pull to the verdict, (n,); None where concepts are not known."""
    harmful_gain: FloatArray | None = None
    """What these add to the logit of the verdict, as erasing them shows, (n,); 0 without any."""

    @cached_property
    def pred_labels(self) -> IntArray:
        """Class indices, (n,)."""
        return np.asarray(self.logits.argmax(axis=1))

    def plain_features(self) -> dict[str, FloatArray]:
        """What does not depend on other photos, by name, (n,)."""
        ordered = np.sort(log_softmax(np.asarray(self.logits, np.float64), axis=1), axis=1)
        others = np.log(-np.expm1(np.minimum(ordered[:, -1], -1e-15)))
        found = {FIRST: ordered[:, -1] - others}
        if ordered.shape[1] > 2:
            found["margin"] = ordered[:, -1] - ordered[:, -2]
        if self.maps is not None:
            found["noise"] = NOISE_MEASURES[NOISE](np.asarray(self.maps, np.float32))
        for name in ("harmful_share", "harmful_gain"):
            if (values := getattr(self, name)) is not None:
                found[name] = values
        return found


class Placed(NamedTuple):
    """Where n photos lie."""

    features: FloatArray
    """(n, D)."""
    texture: FloatArray
    """(n, 7)."""


@dataclass(frozen=True)
class Space:
    """Where distances are taken: the features as they are, and the texture uncorrelated and of variance 1.

    Features are not made uncorrelated: where D is no small part of the number of evaluated photos, their covariance
    follows these so closely that any new photo lies farther out (of 640 photographs with D = 384 the p-values of half
    of the other 640 were at most 0.01).
    """

    texture_centre: FloatArray
    """(7,)."""
    texture_whitening: FloatArray
    """(7, 7)."""

    @classmethod
    def of(cls, evidence: Evidence) -> "Space | None":
        """Of the evaluated photos; None where they are too few, or a feature is not finite."""
        if len(evidence.logits) < MIN_PHOTOS or not np.isfinite(evidence.features).all():
            return None
        texture = np.asarray(evidence.texture, np.float64)
        values, vectors = np.linalg.eigh(np.cov(texture.T))
        return cls(texture.mean(axis=0), vectors / np.sqrt(values.clip(0) + TEXTURE_FLOOR))

    def place(self, evidence: Evidence) -> Placed:
        """Photos in the space."""
        return Placed(evidence.features, (evidence.texture - self.texture_centre) @ self.texture_whitening)


TEXTURE_FLOOR = 1e-3
"""Added to variances of the logarithms: differences of 3 % are never unusual."""


def own_agreement(evidence: Evidence, labels: IntArray, units: IntArray) -> tuple[FloatArray, IntArray]:
    """`agreement` of each evaluated photo with those of other groups, and the class of the nearest of these, (N,)."""
    parts = [
        (agreement(distances, labels, evidence.pred_labels[rows]), labels[distances.argmin(axis=1)])
        for rows, distances in distances_to_others(evidence.features, units)
    ]
    agreements, nearest = zip(*parts, strict=True)
    return np.concatenate(agreements), np.concatenate(nearest)
