"""A last layer fitted anew: multinomial logistic regression on standardised features, the backbone as it is.

Kirichenko, Izmailov and Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR
2023.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from evalharness.model import LayerName
from evalharness.records import FloatArray, IntArray

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation, scikit-learn's C, that cross-validation chooses from."""
NUM_FOLDS = 5
MAX_STEPS = 1000


@dataclass(frozen=True)
class FittedLayer:
    """A dense layer with a softmax, ready for a weights file."""

    name: LayerName
    kernel: FloatArray
    """(D, C) float32, of features as they are: the scaling is folded in."""
    bias: FloatArray
    """(C,) float32."""
    strength: float
    """C that was chosen."""
    log_loss: float
    """Mean over the photos, each by a layer that was fitted without its group."""
    accuracy: float
    """Part of the photos named right, in the same way."""

    def logits(self, features: FloatArray) -> FloatArray:
        """(n, C) float64, of features (n, D)."""
        logits: FloatArray = np.asarray(features, np.float64) @ self.kernel + self.bias
        return logits


def fit_layer(
    name: LayerName, features: FloatArray, labels: IntArray, groups: Sequence[str], *, seed: int
) -> FittedLayer:
    """Chooses the strength by cross-validation over groups, then fits all photos.

    Args:
        name: Of the layer.
        features: What it sees, (n, D).
        labels: Class indices, (n,); every class occurs in at least `NUM_FOLDS` groups.
        groups: A photo and its copies are one.
        seed: Of the folds.
    """
    features = np.asarray(features, np.float64)
    folds = list(StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed).split(features, labels, groups))
    logits = {strength: np.zeros((len(labels), int(labels.max()) + 1)) for strength in STRENGTHS}
    for train, held_out in folds:
        scaler = StandardScaler().fit(features[train])
        scaled = scaler.transform(features[train])
        for strength in STRENGTHS:
            kernel, bias = _fit_scaled(scaler, scaled, labels[train], strength)
            logits[strength][held_out] = features[held_out] @ kernel + bias
    scores = {}
    for strength, found in logits.items():
        log_loss = -log_softmax(found, axis=1)[np.arange(len(labels)), labels].mean()
        scores[strength] = (float(log_loss), float((found.argmax(axis=1) == labels).mean()))
    strength = min(scores, key=lambda strength: scores[strength])
    kernel, bias = fit(features, labels, strength)
    return FittedLayer(name, kernel.astype(np.float32), bias.astype(np.float32), strength, *scores[strength])


def fit(features: FloatArray, labels: IntArray, strength: float) -> tuple[FloatArray, FloatArray]:
    """Kernel (D, C) and bias (C,) for features (n, D) as they are."""
    scaler = StandardScaler().fit(features)
    return _fit_scaled(scaler, scaler.transform(features), labels, strength)


def _fit_scaled(
    scaler: StandardScaler, scaled: FloatArray, labels: IntArray, strength: float
) -> tuple[FloatArray, FloatArray]:
    regression = LogisticRegression(C=strength, max_iter=MAX_STEPS)
    with warnings.catch_warnings():
        # What is left after so many steps does not show in a probability.
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(scaled, labels)
    weights, bias = regression.coef_.T, regression.intercept_
    if weights.shape[1] == 1:
        # Of two classes scikit-learn gives the log-odds z: logits (-z/2, z/2).
        weights, bias = weights * [-0.5, 0.5], bias * np.array([-0.5, 0.5])
    return fold_scaling(weights, bias, scaler.mean_, scaler.scale_)


def fold_scaling(
    weights: FloatArray, bias: FloatArray, mean: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Kernel and bias that do to x what `weights` and `bias` do to (x - mean) / scale.

    Args:
        weights: (D, C).
        bias: (C,).
        mean: (D,).
        scale: (D,), above 0.
    """
    kernel: FloatArray = weights / scale[:, None]
    return kernel, bias - mean @ kernel
