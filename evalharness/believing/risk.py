"""How probable it is that a verdict is wrong: logistic regression on a few features, each kept only if it helps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from evalharness.audit import BoolArray
from evalharness.records import FloatArray, IntArray

NUM_FOLDS = 10
MIN_ANSWERS = 10
"""Right and wrong verdicts each without which nothing is fitted: the confidence alone then ranks."""
FIRST = "logit_confidence"
MAX_FEATURES = 4
HELP = 2.0
"""Standard errors of the log loss that a feature must take from it: several are tried."""


@dataclass(frozen=True)
class RiskModel:
    """P(wrong) of a photo."""

    names: tuple[str, ...]
    """Of the features, the confidence first."""
    centres: FloatArray
    scales: FloatArray
    coefficients: FloatArray
    intercept: float

    def score(self, features: Mapping[str, FloatArray]) -> FloatArray:
        """P(wrong) of photos, (n,), 0 to 1; what is not known of a photo counts as average.

        Args:
            features: By name, (n,); may hold more than the model reads.
        """
        standardised = (_columns(features, self.names) - self.centres) / self.scales
        risk: FloatArray = expit(np.nan_to_num(standardised) @ self.coefficients + self.intercept)
        return risk

    def effects(self, features: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """What each feature adds to the logit of P(wrong), beside an average photo, by name, (n,)."""
        standardised = np.nan_to_num((_columns(features, self.names) - self.centres) / self.scales)
        return dict(zip(self.names, (standardised * self.coefficients).T, strict=True))


@dataclass(frozen=True)
class FittedRisk:
    """The model, and how it judges photos that it was not fitted on."""

    model: RiskModel
    out_of_fold: FloatArray
    """P(wrong) of each photo under a model fitted on other folds, (N,)."""
    gains: Mapping[str, float]
    """By feature: what it takes from the out-of-fold log loss when it is added, the kept ones and the left-out ones."""


def fit_risk(features: Mapping[str, FloatArray], is_wrong: BoolArray, units: IntArray, *, seed: int) -> FittedRisk:
    """Adds features to the confidence one after the other, while the next best helps on photos left out.

    A feature helps if it takes more than two standard errors, over groups, from the log loss.

    Args:
        features: By name, (N,), `logit_confidence` among them; NaN where one is not known.
        is_wrong: (N,).
        units: Group of each photo, from 0 without gaps, (N,): a group stays in one fold.
        seed: Of the folds.
    """
    wrong = np.asarray(is_wrong, np.bool_)
    confidence = RiskModel((FIRST,), np.zeros(1), np.ones(1), np.array([-1.0]), 0.0)
    alone = confidence.score(features)
    if min(wrong.sum(), (~wrong).sum()) < MIN_ANSWERS:
        return FittedRisk(confidence, alone, {})
    folds = _folds(wrong, units, seed)
    names = [FIRST]
    # Fitted too, so that it is only left for what ranks better, not for what is calibrated better.
    scores = _cross_fit(features, names, wrong, folds)
    gains: dict[str, float] = {}
    while len(names) < MAX_FEATURES:
        tried = {name: _cross_fit(features, [*names, name], wrong, folds) for name in features if name not in names}
        found = {name: _gain(scores, values, wrong, units) for name, values in tried.items()}
        gains |= {name: mean for name, (mean, _) in found.items()}
        helping = {name: mean for name, (mean, error) in found.items() if mean > HELP * error}
        if not helping:
            break
        best = max(helping, key=lambda name: helping[name])
        names, scores = [*names, best], tried[best]
    if len(names) == 1:
        # Its own order, which no fold has changed.
        return FittedRisk(confidence, alone, gains)
    return FittedRisk(_fit(features, names, wrong), scores, gains)


def _folds(wrong: BoolArray, units: IntArray, seed: int) -> IntArray:
    """The fold of each photo: groups are dealt out, those with wrong verdicts first, so that every fold has some."""
    num_units = int(units.max()) + 1
    order = np.random.default_rng(seed).permutation(num_units)
    num_wrong = np.bincount(units, wrong, num_units)
    dealt = order[np.argsort(-np.minimum(num_wrong[order], 1), kind="stable")]
    fold_of_unit = np.empty(num_units, np.int64)
    fold_of_unit[dealt] = np.arange(num_units) % min(NUM_FOLDS, num_units)
    return fold_of_unit[units]


def _cross_fit(
    features: Mapping[str, FloatArray], names: Sequence[str], wrong: BoolArray, folds: IntArray
) -> FloatArray:
    scores = np.empty(len(wrong))
    for fold in np.unique(folds):
        is_out = folds == fold
        model = _fit({name: features[name][~is_out] for name in names}, names, wrong[~is_out])
        scores[is_out] = model.score({name: features[name][is_out] for name in names})
    return scores


def _fit(features: Mapping[str, FloatArray], names: Sequence[str], wrong: BoolArray) -> RiskModel:
    from sklearn.linear_model import LogisticRegression

    columns = _columns(features, names)
    centres = np.nan_to_num(_mean(columns))
    scales = np.sqrt(np.nan_to_num(_mean((columns - centres) ** 2)))
    scales = np.where(scales > 0, scales, 1)
    fitted = LogisticRegression().fit(np.nan_to_num((columns - centres) / scales), wrong)
    return RiskModel(tuple(names), centres, scales, fitted.coef_[0], float(fitted.intercept_[0]))


def _mean(columns: FloatArray) -> FloatArray:
    known = ~np.isnan(columns)
    sums, counts = np.where(known, columns, 0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(sums, counts, out=np.zeros(len(sums)), where=counts > 0))


def _columns(features: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
    return np.column_stack([np.asarray(features[name], np.float64) for name in names])


def _gain(before: FloatArray, after: FloatArray, wrong: BoolArray, units: IntArray) -> tuple[float, float]:
    """What the log loss loses, over photos, and its standard error over groups."""
    differences = _log_losses(before, wrong) - _log_losses(after, wrong)
    mean = float(differences.mean())
    sums = np.bincount(units, differences - mean)
    return mean, float(np.sqrt((sums**2).sum()) / len(wrong))


def _log_losses(risk: FloatArray, wrong: BoolArray) -> FloatArray:
    margin = np.finfo(np.float64).eps
    return np.asarray(-np.log(np.where(wrong, risk, 1 - risk).clip(margin, 1)))
