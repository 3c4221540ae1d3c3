"""What is known of a photo before its verdict is judged, as numbers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_softmax

from evalharness.audit import NOISE_MEASURES
from evalharness.believing.neighbours import Neighbours, agreement
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


@dataclass(frozen=True)
class Space:
    """Where distances of photos are taken: the model's features and the texture, each in units of usual distances."""

    centre: FloatArray
    """Of the texture, (7,)."""
    whitening: FloatArray
    """Makes the texture of the evaluated photos uncorrelated, of the usual distance 1, (7, 7)."""
    feature_scale: float

    @classmethod
    def of(cls, evidence: Evidence, units: IntArray) -> "Space | None":
        """Of the evaluated photos; None where they are too few."""
        if len(units) < MIN_PHOTOS:
            return None
        centre = evidence.texture.mean(axis=0, dtype=np.float64)
        values, vectors = np.linalg.eigh(np.cov((evidence.texture - centre).T))
        whitening = vectors / np.sqrt(values.clip(0) + TEXTURE_FLOOR)
        scales = [
            _usual_distance(block, units) for block in (evidence.features, (evidence.texture - centre) @ whitening)
        ]
        if scales[0] is None or scales[1] is None:
            return None
        return cls(centre, whitening / scales[1], scales[0])

    def place(self, evidence: Evidence) -> FloatArray:
        """Photos in the space, (n, D + 7)."""
        features = np.asarray(evidence.features, np.float64) / self.feature_scale
        return np.hstack([features, (evidence.texture - self.centre) @ self.whitening])


TEXTURE_FLOOR = 1e-3
"""Added to variances of the logarithms: differences of 3 % are never unusual."""


def _usual_distance(values: FloatArray, units: IntArray) -> float | None:
    found = Neighbours.of(values, units)
    if found is None:
        return None
    usual = float(np.median(found.nearest.mean(axis=1)))
    return usual if usual > 0 else 1.0


def own_agreement(neighbours: Neighbours, labels: IntArray, pred_labels: IntArray) -> tuple[FloatArray, IntArray]:
    """`agreement` of each evaluated photo with those of other groups, and the class of the nearest of these, (N,)."""
    parts = [
        (agreement(distances, labels, pred_labels[rows]), labels[distances.argmin(axis=1)])
        for rows, distances in neighbours.own_distances()
    ]
    agreements, nearest = zip(*parts, strict=True)
    return np.concatenate(agreements), np.concatenate(nearest)
