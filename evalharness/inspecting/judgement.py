"""What is said of one verdict: believe, check or unknown, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.believing import Belief, FittedJudge, Judged
from evalharness.believing.judge import RARE_LEVEL, UNKNOWN_LEVEL
from evalharness.records import FloatArray

LEAST_P_VALUE = 0.001
TELLING_EFFECT = 0.5
"""What a feature must add to the logit of the risk to be named as a reason."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one photo."""

    belief: Belief
    reasons: tuple[str, ...]
    """In plain words, the most important first."""
    risk: float | None = None
    """Probability that the verdict is wrong, 0 to 1; None where nothing judges it."""
    novelty: float | None = None
    """1 - the conformal p-value of its distance to the evaluated photos; None where that cannot be told."""


NOT_JUDGED = Judgement("check", ("nothing to judge it by: name an evaluation with --run",))
NO_JUDGE_REASON = (
    "the evaluation has no judge, or one of an earlier version: repeat its `evalharness run` command "
    "(predictions are kept, and only what is missing is computed)"
)
NO_JUDGE = Judgement(
    "check",
    (NO_JUDGE_REASON,),
)


def explain(
    judge: FittedJudge, judged: Judged, index: int, *, probs: FloatArray, classes: Sequence[str], concept: str | None
) -> Judgement:
    """Puts into words what the judge says of one photo.

    Args:
        judge: Who said it.
        judged: Of a batch.
        index: The photo in it.
        probs: Of the photo, (C,).
        classes: In the order of the outputs.
        concept: A sentence on the harmful concept that the verdict owes something to.
    """
    belief, risk, p_value = judged.beliefs[index], float(judged.risks[index]), float(judged.novelty_p_values[index])
    rare = f"of photos like the evaluated ones {max(p_value, LEAST_P_VALUE):.1%} are as far from the others"
    if belief == "unknown":
        reasons = [f"unlike anything that was evaluated: {rare} (unknown: up to {UNKNOWN_LEVEL:.0%})"]
    else:
        reasons = [concept] if concept else []
        limit, is_rare = judge.threshold.limit, bool(judged.is_rare[index])
        if is_rare and limit is not None:
            reasons.append(f"little like the evaluated photos: {rare} (believed: above {RARE_LEVEL:.1%})")
        if not is_rare or limit is None or risk > limit:
            reasons.append(_of_risk(judge, risk, belief))
        if belief == "check" and limit is not None and risk > limit:
            reasons += _of_features(judged, index, probs, classes, has_concept=concept is not None)
    return Judgement(belief, tuple(reasons), risk, None if np.isnan(p_value) else 1 - p_value)


def _of_risk(judge: FittedJudge, risk: float, belief: Belief) -> str:
    guarantee, threshold = judge.guarantee, judge.threshold
    promise = f"at most {100 * guarantee.max_error:g} % are wrong, with {guarantee.confidence:.0%} confidence"
    if threshold.limit is None:
        return (
            f"no verdict of this evaluation can be believed: that {promise}, takes {threshold.num_needed} believed "
            "photos without a mistake, or more with some"
        )
    if belief == "believe":
        counted = f"{threshold.num_wrong} of {threshold.num_believed} evaluated ones were"
        return f"of believed verdicts {promise} ({counted})"
    return f"risk {risk:.1%}: about so many of such verdicts are wrong; believed are those up to {threshold.limit:.1%}"


def _of_features(
    judged: Judged, index: int, probs: FloatArray, classes: Sequence[str], *, has_concept: bool
) -> list[str]:
    ranked = np.argsort(-probs, kind="stable")
    verdict, nearest = classes[ranked[0]], classes[int(judged.nearest_labels[index])]
    found = {
        "logit_confidence": f"the confidence is low ({probs[ranked[0]]:.2f})",
        "margin": f"{classes[ranked[min(1, len(classes) - 1)]]} is close behind",
        "agreement": (
            f"the evaluated photos most like it are not all {verdict}: the nearest is {nearest}"
            if nearest != verdict
            else f"evaluated photos of other classes are nearly as like it as those of {verdict}"
        ),
        "distance": "it is far from the evaluated photos",
        "noise": "its map is unusual",
    }
    effects = sorted(((float(values[index]), name) for name, values in judged.effects.items()), reverse=True)
    return [
        found[name]
        for effect, name in effects
        if name in found and (effect > TELLING_EFFECT or (len(effects) == 1 and not has_concept))
    ]
