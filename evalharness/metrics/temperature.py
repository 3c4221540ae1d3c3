"""Temperature scaling (Guo et al. 2017): one number that makes confidences as high as they turn out to be right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, softmax

from evalharness.lazy import LazyModule
from evalharness.metrics.predictions import Predictions
from evalharness.metrics.probabilities import ece
from evalharness.records import FloatArray, IntArray
from evalharness.statistics import resampling_units

optimize = LazyModule("scipy.optimize")

LOWEST, HIGHEST = 0.05, 20.0
AT_BOUND = 1.01
"""A temperature this close to a bound is not determined: the likelihood rises all the way to it."""
NUM_FOLDS = 5


@dataclass(frozen=True, slots=True)
class Temperature:
    """A temperature and what it does for rows that it was not fitted on."""

    value: float
    """The geometric mean over folds; 1 where scaling does not help or is not determined."""
    folds: tuple[float, ...]
    log_loss_before: float
    log_loss_after: float
    """Of each row under the temperature that was fitted without it."""
    ece_before: float
    ece_after: float
    num_rows: int

    @property
    def helps(self) -> bool:
        """Whether confidences are to be scaled."""
        return self.value != 1

    def apply(self, logits: FloatArray) -> FloatArray:
        """Calibrated probabilities of logits (n, C)."""
        probs: FloatArray = softmax(np.asarray(logits, np.float64) / self.value, axis=1)
        return probs


def fit_temperature(logits: FloatArray, labels: IntArray) -> float:
    """The temperature that makes the labels most likely, within 0.05 to 20.

    Args:
        logits: (N, C).
        labels: Class indices, (N,).
    """
    scores = np.asarray(logits, np.float64)
    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = optimize.minimize_scalar(
        lambda log: _log_loss(scores, labels, np.exp(log)), bounds=bounds, method="bounded"
    )
    return float(np.exp(found.x))


def cross_fit_temperature(
    logits: FloatArray, labels: IntArray, groups: Sequence[str] | None, *, seed: int, num_folds: int = NUM_FOLDS
) -> Temperature:
    """Fits on all folds but one, and judges each on the one left out.

    Args:
        logits: (N, C).
        labels: Class indices, (N,).
        groups: The group of each row; a group stays in one fold.
        seed: Of the folds.
        num_folds: At most as many as there are groups, and at least two.
    """
    scores, units = np.asarray(logits, np.float64), resampling_units(groups, len(labels))
    num_units = int(units.max()) + 1
    order = np.random.default_rng(seed).permutation(num_units)
    fold_of = (np.argsort(order) % min(num_folds, num_units))[units]
    temperatures, scaled = [], scores.copy()
    for fold in range(min(num_folds, num_units)):
        is_out = fold_of == fold
        temperatures.append(fit_temperature(scores[~is_out], labels[~is_out]))
        scaled[is_out] = scores[is_out] / temperatures[-1]
    before, after = _log_loss(scores, labels, 1.0), _log_loss(scaled, labels, 1.0)
    value = float(np.exp(np.mean(np.log(temperatures))))
    # Without a wrong verdict the labels grow likelier with every smaller temperature.
    is_determined = (scores.argmax(axis=1) != labels).any() and LOWEST * AT_BOUND < value < HIGHEST / AT_BOUND
    return Temperature(
        value=value if is_determined and after < before else 1.0,
        folds=tuple(temperatures),
        log_loss_before=before,
        log_loss_after=after,
        ece_before=ece(Predictions(labels, softmax(scores, axis=1))),
        ece_after=ece(Predictions(labels, softmax(scaled, axis=1))),
        num_rows=len(labels),
    )


def _log_loss(logits: FloatArray, labels: IntArray, temperature: float) -> float:
    return -float(log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean())
