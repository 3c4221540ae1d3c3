"""The judge: fitted on an evaluation, it says of each photo believe, check or unknown."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from evalharness.audit import BoolArray
from evalharness.believing.evidence import Evidence, Placed, Space, own_agreement
from evalharness.believing.neighbours import Neighbours, agreement
from evalharness.believing.novelty import Novelty
from evalharness.believing.risk import RiskModel, fit_risk
from evalharness.believing.threshold import Threshold, choose_threshold
from evalharness.records import FloatArray, IntArray

Belief = Literal["believe", "check", "unknown"]
JUDGE_VERSION = 3
"""Of what is stored: another judge says other things of the same photos."""
UNKNOWN_LEVEL = 0.01
"""Of photos like the evaluated ones a part of this at most is called unknown."""
RARE_LEVEL = 0.025
"""Of photos like the evaluated ones a part of this at most is too far from the others to be believed."""
ROUNDING = 1e-9
LEAST_SCORE = 1e-6
"""Of what is rare: nearer than this is the same."""


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
    is_rare: BoolArray
    """Whether a photo is too far from the evaluated ones to be believed, (n,)."""
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
    novelty: Novelty | None
    """The evaluated photos in the space, by features and by texture; None where one has too few outside its group."""
    labels: IntArray
    """Their true classes, (N,)."""

    @property
    def can_tell_unknown(self) -> bool:
        """Whether there are enough groups for one photo in a hundred to be rare."""
        return self.novelty is not None and self.novelty.can_tell(UNKNOWN_LEVEL)

    def _is_beyond(self, p_values: FloatArray, level: float) -> BoolArray:
        """Whether photos are farther from the evaluated ones than all but a part of `level`; False if none can tell."""
        if self.novelty is None or not self.novelty.can_tell(level):
            return np.zeros(len(p_values), np.bool_)
        return np.asarray(p_values <= level + ROUNDING)

    def judge(self, evidence: Evidence) -> Judged:
        """Judges new photos; a copy of an evaluated photo as if its group had not been evaluated."""
        features, num = evidence.plain_features(), len(evidence.logits)
        p_values, nearest = np.full(num, np.nan), np.full(num, -1)
        features["agreement"] = np.full(num, np.nan)
        if self.novelty is not None and self.space is not None:
            spaces = self.novelty.spaces
            distances = [space.distances(own) for space, own in zip(spaces, self.space.place(evidence), strict=True)]
            copied = spaces[0].copied_groups(distances[0])
            scores = self.novelty.scores(distances, copied)
            p_values = self.novelty.p_values(scores, distances, copied)
            by_features = np.where(copied[:, None] == spaces[0].units, np.inf, distances[0])
            features["agreement"] = agreement(by_features, self.labels, evidence.pred_labels)
            features["distance"] = _log(scores)
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
        is_unknown, is_rare = (self._is_beyond(p_values, level) for level in (UNKNOWN_LEVEL, RARE_LEVEL))
        is_believed = np.zeros(len(risks), np.bool_) if limit is None else (risks <= limit) & ~is_rare
        beliefs: tuple[Belief, ...] = tuple(
            "unknown" if unknown else "believe" if believed else "check"
            for unknown, believed in zip(is_unknown, is_believed, strict=True)
        )
        return Judged(risks, p_values, is_rare, beliefs, features, self.risk.effects(features), nearest)

    def to_arrays(self) -> dict[str, Any]:
        """Everything but the evaluated features and labels, which the results hold; for `np.savez`."""
        threshold, space, novelty = self.threshold, self.space, self.novelty
        found: dict[str, Any] = {
            "version": JUDGE_VERSION,
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
        if space is not None and novelty is not None:
            by_features, by_texture = novelty.spaces
            found |= asdict(space) | {
                "placed_texture": by_texture.features,
                "nearest_features": by_features.nearest,
                "nearest_texture": by_texture.nearest,
            }
        return found

    @classmethod
    def from_arrays(
        cls, stored: Mapping[str, Any], *, features: FloatArray, labels: IntArray, units: IntArray
    ) -> "FittedJudge":
        """From `to_arrays`, and the features (N, D), labels (N,) and groups (N,) of the evaluated photos."""
        limit = float(stored["limit"])
        believed, wrong, groups, wrong_groups, needed = (int(count) for count in stored["counts"])
        max_error, confidence = map(float, stored["guarantee"])
        has_space = "texture_centre" in stored
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
            space=Space(**{field.name: stored[field.name] for field in fields(Space)}) if has_space else None,
            novelty=Novelty(
                (
                    Neighbours(np.asarray(features), units, stored["nearest_features"]),
                    Neighbours(stored["placed_texture"], units, stored["nearest_texture"]),
                )
            ) if has_space else None,
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
    space = Space.of(evidence)
    novelty = None if space is None else _novelty(space.place(evidence), units)
    p_values, nearest = np.full(num, np.nan), np.full(num, -1)
    if novelty is not None:
        features["agreement"], nearest = own_agreement(evidence, labels, units)
        features["distance"] = _log(novelty.own_scores)
        p_values = novelty.own_p_values()
    fitted = fit_risk(
        {name: values for name, values in features.items() if _varies(values)}, is_wrong, units, seed=seed
    )
    bare = FittedJudge(guarantee, fitted.model, NO_THRESHOLD, space, novelty, labels)
    known = {name: features[name] for name in fitted.model.names}
    threshold = choose_threshold(
        np.where(bare._is_beyond(p_values, RARE_LEVEL), np.inf, fitted.out_of_fold), is_wrong, units,
        max_error=guarantee.max_error, confidence=guarantee.confidence,
    )  # fmt: skip
    judge = replace(bare, threshold=threshold)
    return FittedEvaluation(judge, judge.judged(known, p_values, nearest, fitted.out_of_fold), fitted.gains)


def _novelty(placed: Placed, units: IntArray) -> Novelty | None:
    by_features, by_texture = (Neighbours.of(values, units) for values in placed)
    return None if by_features is None or by_texture is None else Novelty((by_features, by_texture))


def _log(scores: FloatArray) -> FloatArray:
    """Of scores that are 0 where as many photos are the same."""
    return np.asarray(np.log(np.maximum(scores, LEAST_SCORE)))


def _varies(values: FloatArray) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and float(np.ptp(known)) > 0


NO_THRESHOLD = Threshold(None, 0, 0, 0, 0, 1.0, 0)
