"""Whether a verdict depends on a region: `uses`, from the logits of erased images; and the quadrant of looks x uses.

The yardstick is the control, the same shape erased elsewhere in the same image. The threshold of a category is the 95th
percentile of its controls, each image weighing as one however many controls it has room for: there is one region an
image, and large regions, of which erasing anything does more, have fewer controls. So about 5 % of regions count as
used even where nothing is: a rate says something only when its interval lies above that. A model that is sure of itself
answers erasures with tiny shifts of the logit; a least effect on the probability leaves out those that no one would
call a use.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from evalharness.audit.geometry import BoolArray
from evalharness.audit.intervals import DEFAULT_RESAMPLING, Resampling, mean_interval
from evalharness.records import FloatArray, IntArray, Interval

UNDETERMINED = "undetermined"
ROUNDING = 1e-6
"""By which sums of weights may miss what is wanted: 0.95 * 20 is a little above 19 in floating point."""
QUADRANTS = ("relies", "looks only", "uses unseen", "clean")
"""Looks and uses; looks alone; uses alone; neither."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What erasing one category does to the verdicts of the images that hold it; n images, K controls.

    The class is fixed from the original image.
    """

    targets: IntArray
    """The class of the verdict on the original, (n,)."""
    delta_logit: FloatArray
    """Logit of that class before minus after, (n,); NaN where nothing was erased."""
    delta_prob: FloatArray
    """The same of its probability."""
    flips: FloatArray
    """1 where the verdict changes, else 0; NaN where nothing was erased. (n,)"""
    control_delta_logit: FloatArray
    """(n, K); NaN where there is no such control."""
    control_delta_prob: FloatArray
    control_flips: FloatArray

    @property
    def has_control(self) -> BoolArray:
        """Images with at least one control, (n,)."""
        controlled: BoolArray = ~np.isnan(self.control_delta_logit).all(axis=1)
        return controlled


@dataclass(frozen=True, slots=True)
class Yardstick:
    """From when on a region counts as looked at, or as used."""

    control_quantile: float = 0.95
    """Of the category's controls, 0 to 1; to be exceeded by the lift (looks) and by the logit's delta (uses)."""
    min_effect: float = 0.0
    """What erasing must also take from the probability of the verdict's class to be a use, 0 to 1."""

    @property
    def rate_by_construction(self) -> float:
        """Part of the regions that exceed the quantile where nothing is looked at or used."""
        return 1 - self.control_quantile


DEFAULT_YARDSTICK = Yardstick()


@dataclass(frozen=True, slots=True)
class Threshold:
    """The control quantile of one category in one run."""

    value: float
    """NaN with fewer controls than it takes: 19 for the 95th percentile, more if images have unlike numbers of them."""
    num_controls: int
    control_rate: float
    """Part of the controls, each image weighing as one, that lie above the threshold that the other images' controls
    give, and have the least effect: printed beside the rate of the regions. About 5 % for the 95th percentile alone, if
    the yardstick is fair. NaN where that leaves too few."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Looks and uses of one category, per image (n,): 1, 0, or NaN where it cannot be told."""

    uses: FloatArray
    looks: FloatArray
    quadrants: npt.NDArray[np.str_]
    """One of `QUADRANTS`, or `undetermined`."""
    uses_threshold: Threshold
    """On the logit's delta."""
    looks_threshold: Threshold
    """On the lift."""
    num_without_control: int


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something is the case."""

    interval: Interval
    num_images: int
    """For which it could be told."""
    is_raised: bool
    """Whether the interval lies above the rate that is there by construction."""


def measure_effects(logits: FloatArray, erased_logits: FloatArray, control_logits: FloatArray) -> Effects:
    """Compares verdicts before and after erasing.

    Args:
        logits: Of the original images, (n, classes).
        erased_logits: With the region erased, (n, classes); NaN where nothing was.
        control_logits: With a control erased, (n, K, classes); NaN where there is none.
    """
    original = np.asarray(logits, np.float64)
    erased, controls = np.asarray(erased_logits, np.float64), np.asarray(control_logits, np.float64)
    targets = original.argmax(axis=1)
    deltas = [_delta(original, after, targets) for after in (erased, controls)]
    probs = [softmax(values, axis=-1) for values in (original, erased, controls)]
    prob_deltas = [_delta(probs[0], after, targets) for after in probs[1:]]
    return Effects(
        targets=targets,
        delta_logit=deltas[0],
        delta_prob=prob_deltas[0],
        flips=_flips(erased, targets),
        control_delta_logit=deltas[1],
        control_delta_prob=prob_deltas[1],
        control_flips=_flips(controls, targets[:, None]),
    )


def control_threshold(
    controls: FloatArray, quantile: float = DEFAULT_YARDSTICK.control_quantile, *, counts: BoolArray | None = None
) -> Threshold:
    """The value that a control of one more image would exceed with a probability of 1 - quantile.

    A control of an image that has k of them weighs 1 / k, so that the n images weigh 1 each. The threshold is the
    left-continuous inverse of the weighted distribution: the smallest control up to which the weights add up to
    quantile (n + m). m is the mean over the images of 1 / k, the weight of one more control that lies above all: the
    correction that makes the quantile hold for the next value and not only for those at hand (as in conformal
    prediction, Vovk et al. 2005). With k controls in every image it is the ceil(quantile (n k + 1))-th smallest.

    Args:
        controls: Of all images, (n, K); NaN where there is no control.
        quantile: Between 0 and 1.
        counts: Controls that may count as above at all, (n, K); without it, all.
    """
    is_there = ~np.isnan(controls)
    weights = _control_weights(is_there)
    order = np.argsort(controls[is_there], kind="stable")
    ordered, cumulated = controls[is_there][order], np.cumsum(weights[is_there][order])
    own_weights = weights.max(axis=1, initial=0)
    wanted = _wanted_weight(np.count_nonzero(own_weights), float(own_weights.sum()), quantile)
    place = _quantile_place(cumulated, wanted)
    value = float(ordered[place]) if place < len(ordered) else float("nan")
    thresholds = _leave_one_out(controls, is_there, quantile)
    is_judged = is_there & ~np.isnan(thresholds)[:, None]
    is_above = is_judged & (controls > thresholds[:, None])
    above = weights[is_above if counts is None else is_above & counts].sum()
    rate = above / weights[is_judged].sum() if is_judged.any() else float("nan")
    return Threshold(value, len(ordered), float(rate))


def judge(
    effects: Effects, lift: FloatArray, control_lift: FloatArray, yardstick: Yardstick = DEFAULT_YARDSTICK
) -> Judgement:
    """Decides for each image whether the model looks at the region, and whether it uses it.

    Args:
        effects: Of erasing the category.
        lift: Of the region on the map, (n,).
        control_lift: Of each control region on the same map, (n, K); NaN where there is no control.
        yardstick: From when on.

    Returns:
        Images without a control are undetermined: nothing says what erasing as much of them elsewhere would do.
    """
    has_control, quantile = effects.has_control, yardstick.control_quantile
    counts = effects.control_delta_prob >= yardstick.min_effect if yardstick.min_effect else None
    uses_threshold = control_threshold(effects.control_delta_logit, quantile, counts=counts)
    looks_threshold = control_threshold(control_lift, quantile)
    uses = _exceeds(np.where(has_control, effects.delta_logit, np.nan), uses_threshold)
    if yardstick.min_effect:
        uses = np.where((uses == 1) & ~(effects.delta_prob >= yardstick.min_effect), 0, uses)
    looks = _exceeds(np.where(has_control, lift, np.nan), looks_threshold)
    return Judgement(
        uses=uses,
        looks=looks,
        quadrants=_quadrants(looks, uses),
        uses_threshold=uses_threshold,
        looks_threshold=looks_threshold,
        num_without_control=int((~has_control).sum()),
    )


def measure_rate(
    flags: FloatArray,
    *,
    groups: Sequence[str] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
    yardstick: Yardstick = DEFAULT_YARDSTICK,
) -> Rate:
    """The rate of `uses`, `looks` or flips, with its percentile bootstrap interval.

    Args:
        flags: 1, 0, or NaN where it cannot be told, (n,).
        groups: What is drawn together, per image; without it, every image for itself.
        resampling: How to draw.
        yardstick: That the flags were judged by.
    """
    interval = mean_interval(flags, groups, resampling)
    return Rate(interval, int((~np.isnan(flags)).sum()), interval.ci_low > yardstick.rate_by_construction)


def measure_quadrants(
    judgement: Judgement,
    *,
    groups: Sequence[str] | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
    yardstick: Yardstick = DEFAULT_YARDSTICK,
) -> dict[str, Rate]:
    """The rate of each quadrant among the images that could be judged; by name, in the order of `QUADRANTS`."""
    is_undetermined = judgement.quadrants == UNDETERMINED
    return {
        name: measure_rate(
            np.where(is_undetermined, np.nan, judgement.quadrants == name),
            groups=groups,
            resampling=resampling,
            yardstick=yardstick,
        )
        for name in QUADRANTS
    }


def _delta(before: FloatArray, after: FloatArray, targets: IntArray) -> FloatArray:
    """Of the target class, before minus after; `after` is (n, classes) or (n, K, classes)."""
    rows = np.arange(len(before))
    first = before[rows, targets]
    deltas: FloatArray = first - after[rows, targets] if after.ndim == 2 else first[:, None] - after[rows, :, targets]
    return deltas


def _flips(after: FloatArray, targets: IntArray) -> FloatArray:
    is_missing = np.isnan(after).any(axis=-1)
    return np.where(is_missing, np.nan, np.where(is_missing[..., None], 0, after).argmax(axis=-1) != targets)


def _control_weights(is_there: BoolArray) -> FloatArray:
    """1 / k for each of the k controls of an image, 0 where there is none, (n, K)."""
    num_controls = is_there.sum(axis=1, keepdims=True)
    weights: FloatArray = is_there / np.maximum(num_controls, 1)
    return weights


def _wanted_weight(num_images: int, sum_of_weights: float, quantile: float) -> float:
    """The weight of the controls up to the threshold.

    Args:
        num_images: That have a control.
        sum_of_weights: Of one control of each of them.
        quantile: Between 0 and 1.
    """
    return quantile * (num_images + sum_of_weights / max(1, num_images))


def _quantile_place(cumulated: FloatArray, wanted: float) -> int:
    """Where the weight that is wanted is reached among ordered values, from 0; beyond them if they are too few."""
    return int(np.searchsorted(cumulated, wanted - ROUNDING))


def _leave_one_out(controls: FloatArray, is_there: BoolArray, quantile: float) -> FloatArray:
    """For each image, the threshold that the controls of all others give, (n,); NaN if these are too few."""
    weights = _control_weights(is_there)
    own_weights = weights.max(axis=1, initial=0)
    order = np.argsort(controls[is_there], kind="stable")
    ordered, cumulated = controls[is_there][order], np.cumsum(weights[is_there][order])
    ranks = np.full(controls.shape, -1, np.intp)
    # Each of several equal values has a rank of its own.
    ranks[is_there] = np.argsort(order)
    thresholds = np.full(len(controls), np.nan)
    num_images, total = np.count_nonzero(own_weights), float(own_weights.sum())
    for image, own in enumerate(ranks):
        weight = own_weights[image]
        wanted = _wanted_weight(num_images - (weight > 0), total - weight, quantile)
        place = _quantile_place(cumulated, wanted)
        for rank in np.sort(own[own >= 0]):
            # One's own values are passed over in adding up.
            if rank <= place:
                wanted += weight
                place = _quantile_place(cumulated, wanted)
        if place < len(ordered):
            thresholds[image] = ordered[place]
    return thresholds


def _exceeds(values: FloatArray, threshold: Threshold) -> FloatArray:
    if math.isnan(threshold.value):
        return np.full(values.shape, np.nan)
    return np.where(np.isnan(values), np.nan, values > threshold.value)


def _quadrants(looks: FloatArray, uses: FloatArray) -> npt.NDArray[np.str_]:
    names = np.select(
        [
            (looks == 1) & (uses == 1),
            (looks == 1) & (uses == 0),
            (looks == 0) & (uses == 1),
            (looks == 0) & (uses == 0),
        ],
        QUADRANTS,
        UNDETERMINED,
    )
    return names.astype(np.str_)
