"""The judge: fitted on an evaluation, it says of each photo believe, check or unknown."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from evalharness.audit.novelty import num_to_tell
from evalharness.believing.evidence import Evidence, Space, own_agreement
from evalharness.believing.neighbours import Neighbours, agreement
from evalharness.believing.risk import RiskModel, fit_risk
from evalharness.believing.texture import NAMES
from evalharness.believing.threshold import Threshold, choose_threshold
from evalharness.records import FloatArray, IntArray

Belief = Literal["believe", "check", "unknown"]
VERSION = 1
MODEL_FEATURES = slice(None, -len(NAMES))
"""Of what photos are placed by: all but the statistics of the pixels."""
UNKNOWN_LEVEL = 0.01
"""Of photos like the evaluated ones a part of this at most is called unknown."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What is promised of verdicts that are believed."""

    max_error: float
    """Part of them that may be wrong."""
    confidence: float
    """With which that holds for photos like the evaluated ones."""


@dataclass(frozen=True)
class Judged:
    """What the judge says of n photos."""

    risks: FloatArray
    """P(wrong), (n,)."""
    novelty_p_values: FloatArray
    """(n,); NaN where novelty cannot be told."""
    beliefs: tuple[Belief, ...]
    features: Mapping[str, FloatArray]
    """What the risk was taken from, by name, (n,)."""
    effects: Mapping[str, FloatArray]
    """What each adds to the logit of the risk, beside an average photo, (n,)."""
    nearest_labels: IntArray
    """Class index of the nearest evaluated photo, (n,)."""


@dataclass(frozen=True)
class FittedJudge:
    """Judges photos of one model by its evaluation."""

    guarantee: Guarantee
    risk: RiskModel
    threshold: Threshold
    space: Space | None
    """None where too few photos were evaluated to say what is unlike them."""
    neighbours: Neighbours | None
    """The evaluated photos in the space."""
    labels: IntArray
    """Their true classes, (N,)."""

    @property
    def can_tell_unknown(self) -> bool:
        """Whether there are enough groups for one photo in a hundred to be rare."""
        return self.neighbours is not None and self.neighbours.num_groups >= num_to_tell(UNKNOWN_LEVEL)

    def judge(self, evidence: Evidence) -> Judged:
        """Judges new photos; a copy of an evaluated photo as if its group had not been evaluated."""
        features, num = evidence.plain_features(), len(evidence.logits)
        p_values, nearest = np.full(num, np.nan), np.full(num, -1)
        features["agreement"] = np.full(num, np.nan)
        if self.neighbours is not None and self.space is not None:
            placed = self.space.place(evidence)
            distances = self.neighbours.distances(placed)
            copied = self.neighbours.copied_groups(distances)
            p_values = self.neighbours.novelty_p_values(distances, copied)
            by_features = self._by_features.distances(placed[:, MODEL_FEATURES])
            by_features = np.where(copied[:, None] == self.neighbours.units, np.inf, by_features)
            features["agreement"] = agreement(by_features, self.labels, evidence.pred_labels)
            features["distance"] = np.log(self.neighbours.mean_distances(distances, copied))
            nearest = self.labels[by_features.argmin(axis=1)]
        known = {name: features.get(name, np.full(num, np.nan)) for name in self.risk.names}
        return self.judged(known, p_values, nearest, self.risk.score(known))

    def judged(
        self, features: Mapping[str, FloatArray], p_values: FloatArray, nearest: IntArray, risks: FloatArray
    ) -> Judged:
        """What is said of photos whose risk and place are known.

        Args:
            features: Those that the risk reads, (n,) each.
            p_values: Of novelty, (n,).
            nearest: Class index of the nearest evaluated photo, (n,).
            risks: P(wrong), (n,).
        """
        limit = self.threshold.limit
        is_unknown = p_values <= UNKNOWN_LEVEL + ROUNDING if self.can_tell_unknown else np.zeros(len(risks), np.bool_)
        is_believed = np.zeros(len(risks), np.bool_) if limit is None else risks <= limit
        beliefs: tuple[Belief, ...] = tuple(
            "unknown" if unknown else "believe" if believed else "check"
            for unknown, believed in zip(is_unknown, is_believed, strict=True)
        )
        return Judged(risks, p_values, beliefs, features, self.risk.effects(features), nearest)

    @cached_property
    def _by_features(self) -> Neighbours:
        """The evaluated photos by the model's features alone."""
        if self.neighbours is None:
            raise ValueError("no photos to be near to")
        return self.neighbours.only(MODEL_FEATURES)

    def to_arrays(self) -> dict[str, Any]:
        """Everything but the evaluated features and labels, which the results hold; for `np.savez`."""
        threshold, space, neighbours = self.threshold, self.space, self.neighbours
        found: dict[str, Any] = {
            "version": VERSION,
            "guarantee": np.array([self.guarantee.max_error, self.guarantee.confidence]),
            "risk_names": np.array(self.risk.names),
            "risk_centres": self.risk.centres,
            "risk_scales": self.risk.scales,
            "risk_coefficients": self.risk.coefficients,
            "risk_intercept": self.risk.intercept,
            "limit": np.nan if threshold.limit is None else threshold.limit,
            "counts": np.array(
                [threshold.num_believed, threshold.num_wrong, threshold.num_groups, threshold.num_wrong_groups,
                 threshold.num_needed]
            ),
            "upper_bound": threshold.upper_bound,
        }  # fmt: skip
        if space is not None and neighbours is not None:
            found |= {
                "texture_centre": space.centre,
                "texture_whitening": space.whitening,
                "feature_scale": space.feature_scale,
                "placed": neighbours.features,
                "nearest": neighbours.nearest,
            }
        return found

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any], *, labels: IntArray, units: IntArray) -> "FittedJudge":
        """From `to_arrays`, and the labels and groups of the evaluated photos."""
        limit = float(stored["limit"])
        believed, wrong, groups, wrong_groups, needed = (int(count) for count in stored["counts"])
        max_error, confidence = map(float, stored["guarantee"])
        has_space = "placed" in stored
        return cls(
            guarantee=Guarantee(max_error, confidence),
            risk=RiskModel(
                tuple(map(str, stored["risk_names"])),
                stored["risk_centres"],
                stored["risk_scales"],
                stored["risk_coefficients"],
                float(stored["risk_intercept"]),
            ),
            threshold=Threshold(
                None if np.isnan(limit) else limit, believed, wrong, groups, wrong_groups,
                float(stored["upper_bound"]), needed,
            ),
            space=Space(stored["texture_centre"], stored["texture_whitening"], float(stored["feature_scale"]))
            if has_space else None,
            neighbours=Neighbours(stored["placed"], units, stored["nearest"]) if has_space else None,
            labels=np.asarray(labels),
        )  # fmt: skip


@dataclass(frozen=True)
class FittedEvaluation:
    """A judge, and what it says of the photos that it was fitted on, each as if it were new."""

    judge: FittedJudge
    judged: Judged
    """Risks are out of fold; neighbours are of other groups."""
    gains: Mapping[str, float]
    """By feature that was tried: what it takes from the out-of-fold log loss."""


def fit_judge(
    evidence: Evidence, labels: IntArray, units: IntArray, guarantee: Guarantee, *, seed: int
) -> FittedEvaluation:
    """Fits the judge on an evaluation.

    Args:
        evidence: Of the evaluated photos.
        labels: True class indices, (N,).
        units: Group of each, from 0 without gaps, (N,).
        guarantee: What is to be promised.
        seed: Of the folds.
    """
    num, is_wrong = len(labels), evidence.pred_labels != labels
    features = evidence.plain_features()
    space = Space.of(evidence, units)
    neighbours = None if space is None else Neighbours.of(space.place(evidence), units)
    p_values, nearest = np.full(num, np.nan), np.full(num, -1)
    if neighbours is not None:
        by_features = neighbours.only(MODEL_FEATURES)
        features["agreement"], nearest = own_agreement(by_features, labels, evidence.pred_labels)
        features["distance"] = np.log(neighbours.nearest.mean(axis=1))
        p_values = neighbours.own_p_values()
    fitted = fit_risk(
        {name: values for name, values in features.items() if _varies(values)}, is_wrong, units, seed=seed
    )
    bare = FittedJudge(guarantee, fitted.model, NO_THRESHOLD, space, neighbours, labels)
    known = {name: features[name] for name in fitted.model.names}
    is_unknown = np.array(
        [belief == "unknown" for belief in bare.judged(known, p_values, nearest, fitted.out_of_fold).beliefs]
    )
    threshold = choose_threshold(
        np.where(is_unknown, np.inf, fitted.out_of_fold), is_wrong, units,
        max_error=guarantee.max_error, confidence=guarantee.confidence,
    )  # fmt: skip
    judge = replace(bare, threshold=threshold)
    return FittedEvaluation(judge, judge.judged(known, p_values, nearest, fitted.out_of_fold), fitted.gains)


def _varies(values: FloatArray) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and float(np.ptp(known)) > 0


NO_THRESHOLD = Threshold(None, 0, 0, 0, 0, 1.0, 0)
