"""Does attention explain mistakes? How well a score of the map tells wrong answers from right ones."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.audit.geometry import BoolArray
from evalharness.audit.intervals import DEFAULT_RESAMPLING, UNDEFINED, Resampling
from evalharness.lazy import LazyModule
from evalharness.records import FloatArray, Interval
from evalharness.statistics import percentile_interval, resample_counts, resampling_units, select_groups

scikit = LazyModule("sklearn.metrics")

CHANCE = 0.5


@dataclass(frozen=True, slots=True)
class MistakePrediction:
    """How well one score predicts a wrong answer."""

    score: str
    auroc: Interval
    """Probability that a wrong answer scores higher than a right one, ties half; NaN if all are right or all wrong."""
    num_images: int
    """With a score."""
    num_wrong: int

    @property
    def sentence(self) -> str:
        """What the numbers say, in plain words."""
        if math.isnan(self.auroc.value):
            same = "wrong" if self.num_wrong else "right"
            why = f"all {self.num_images} answers are {same}" if self.num_images else "no image has a score"
            return f"Whether {self.score} predicts mistakes cannot be told: {why}."
        low, high = self.auroc.ci_low, self.auroc.ci_high
        numbers = f"AUROC {self.auroc.value:.2f}, {low:.2f} to {high:.2f}; {self.num_wrong} of {self.num_images} wrong"
        if low > CHANCE:
            return f"Wrong answers have a higher {self.score} than right ones ({numbers})."
        if high < CHANCE:
            return f"Wrong answers have a lower {self.score} than right ones ({numbers})."
        return f"{self.score} does not tell wrong answers from right ones ({numbers})."


def predict_mistakes(
    score: str,
    values: FloatArray,
    is_wrong: BoolArray,
    *,
    groups: Sequence[str] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> MistakePrediction:
    """Measures how well a score predicts wrong answers.

    Args:
        score: Its name.
        values: One per image, (images,); images with NaN are left out.
        is_wrong: Whether the verdict is wrong, (images,).
        groups: What the bootstrap draws together, per image; without it, every image for itself.
        resampling: How to draw. Resamples with only right or only wrong answers are counted and left out.
    """
    kept = ~np.isnan(values)
    scores, wrong = np.asarray(values[kept], np.float64), is_wrong[kept]
    num_wrong = int(wrong.sum())
    if num_wrong in (0, len(scores)):
        return MistakePrediction(score, UNDEFINED, len(scores), num_wrong)
    units = resampling_units(select_groups(groups, kept), len(scores))
    chunks = resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed)
    resampled = np.concatenate([_weighted_auroc(scores, wrong, counts) for counts in chunks])
    auroc = percentile_interval(float(scikit.roc_auc_score(wrong, scores)), resampled, resampling.confidence)
    return MistakePrediction(score, auroc, len(scores), num_wrong)


def _weighted_auroc(scores: FloatArray, is_positive: BoolArray, counts: FloatArray) -> FloatArray:
    """Of each resample, given by how often it holds each image (resamples, images); NaN where it is not defined."""
    negative_order = np.argsort(scores[~is_positive])
    ordered = scores[~is_positive][negative_order]
    below = np.zeros((len(counts), len(ordered) + 1))
    np.cumsum(counts[:, ~is_positive][:, negative_order], axis=1, out=below[:, 1:])
    positives = counts[:, is_positive]
    sides = [below[:, np.searchsorted(ordered, scores[is_positive], side=side)] for side in ("left", "right")]
    wins = (positives * (sides[0] + sides[1]) / 2).sum(axis=1)
    num_pairs = positives.sum(axis=1) * below[:, -1]
    return np.divide(wins, num_pairs, out=np.full(len(counts), np.nan), where=num_pairs > 0)
