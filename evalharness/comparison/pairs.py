"""The verdicts of runs on the same rows, each against the reference: what differs, and is it more than chance?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalharness.audit import Resampling
from evalharness.comparison.outcomes import Difference, Judge, Outcome, excludes_zero, name_outcome
from evalharness.metrics import METRICS, Metric
from evalharness.metrics.predictions import Predictions, Resamples
from evalharness.metrics.probabilities import calibration_bins
from evalharness.records import FloatArray, IntArray
from evalharness.statistics import (
    holm,
    mcnemar_exact,
    num_images_to_tell,
    resample_counts,
    resampling_units,
)

CLASS_MEASURES = ("recall", "precision", "f1")


@dataclass(frozen=True, slots=True)
class ClassChange:
    """What became of one class."""

    class_name: str
    support: int
    recall: Difference
    precision: Difference
    f1: Difference
    num_broken: int
    num_fixed: int


@dataclass(frozen=True, slots=True)
class PairedRun:
    """One run against the reference."""

    name: str
    reference: str
    num_images: int
    metrics: Mapping[str, Difference]
    """By metric name."""
    classes: tuple[ClassChange, ...]
    calibration: tuple[tuple[float, float, int], ...]
    """Mean confidence, accuracy and count of each confidence bin of the run."""
    num_broken: int
    """Images that the reference got right and this run wrong."""
    num_fixed: int
    """The reverse."""
    num_other_class: int
    """Images with another predicted class, right or wrong."""
    p_value: float
    """Exact McNemar, two-sided."""
    p_holm: float
    """The same after Holm's correction over all runs."""
    outcome: Outcome
    num_images_to_tell: int | None
    """Images that would show a difference of `min_difference`; None where the runs agree on too many for that."""
    min_difference: float
    max_probability_change: float
    """Largest change of any probability of any image."""

    @property
    def discordant_rate(self) -> float:
        """Part of the images that exactly one of the two got right."""
        return (self.num_broken + self.num_fixed) / self.num_images


def compare_predictions(
    predictions: Mapping[str, Predictions],
    *,
    class_names: Sequence[str],
    groups: Sequence[str] | None,
    resampling: Resampling,
    min_difference: float,
) -> tuple[PairedRun, ...]:
    """Compares every run with the first, on the same rows and the same resamples.

    The verdict is of accuracy: better or worse if McNemar's p-value after Holm's correction is below 1 - confidence,
    and the interval of the difference excludes zero too (the interval knows of groups, the test does not); probably,
    if only the interval does. Other numbers: `outcomes.RULE`.

    Args:
        predictions: By run name, the reference first; the same rows, columns and averaged classes in all.
        class_names: Of the columns.
        groups: The group of each row.
        resampling: How to draw.
        min_difference: The difference in accuracy that would matter, such as 0.02.

    Returns:
        One entry per run but the first.
    """
    reference, *others = predictions
    units = resampling_units(groups, len(predictions[reference].labels))
    resampled = _resample(predictions, units, resampling)
    counted = [tuple(map(len, flips(predictions[reference], predictions[name]))) for name in others]
    p_values = [mcnemar_exact(broken, fixed) for broken, fixed in counted]
    # The level that the first step of Holm's correction asks of each.
    alpha = (1 - resampling.confidence) / max(1, len(others))
    judges = (
        Judge(resampling.confidence, (len(_metrics(len(class_names))) - 1) * len(others)),
        Judge(resampling.confidence, len(CLASS_MEASURES) * len(class_names) * len(others)),
    )
    pairs = []
    for name, (broken, fixed), p_value, p_holm in zip(others, counted, p_values, holm(p_values), strict=True):
        before, after = predictions[reference], predictions[name]
        draws = (resampled[reference], resampled[name])
        pairs.append(
            PairedRun(
                name=name,
                reference=reference,
                num_images=len(after.labels),
                metrics=_metric_differences(before, after, draws, judges[0]),
                classes=_class_changes(before, after, class_names, draws, judges[1]),
                calibration=calibration_bins(after),
                num_broken=broken,
                num_fixed=fixed,
                num_other_class=int((before.pred_labels != after.pred_labels).sum()),
                p_value=p_value,
                p_holm=float(p_holm),
                outcome="cannot tell",
                num_images_to_tell=num_images_to_tell(
                    (broken + fixed) / len(after.labels), min_difference, alpha=alpha
                ),
                min_difference=min_difference,
                max_probability_change=float(np.abs(before.probs - after.probs).max()),
            )
        )
    return tuple(_judge(pair, 1 - resampling.confidence) for pair in pairs)


def average_alike(predictions: Mapping[str, Predictions]) -> dict[str, Predictions]:
    """Lets averages over classes run over the same ones in all runs: those among the labels or in any run's verdicts.

    A class that only one run predicts would otherwise add a zero to its average and be in no other.

    Args:
        predictions: By run name, of the same rows and columns.
    """
    averaged = np.unique(np.concatenate([run.occurring for run in predictions.values()]))
    return {name: replace(run, averaged=averaged) for name, run in predictions.items()}


def flips(reference: Predictions, run: Predictions) -> tuple[IntArray, IntArray]:
    """Rows that only the reference got right (broken), and rows that only the run did (fixed)."""
    before, after = reference.is_correct == 1, run.is_correct == 1
    return np.flatnonzero(before & ~after), np.flatnonzero(~before & after)


def _metrics(num_classes: int) -> dict[str, Metric]:
    return {name: metric for name, metric in METRICS.items() if num_classes >= metric.min_num_classes}


@dataclass(frozen=True, slots=True)
class _Draws:
    """One run in every resample."""

    metrics: dict[str, FloatArray]
    """By name, (resamples,)."""
    classes: dict[str, FloatArray]
    """Recall, precision and F1, (resamples, C)."""


def _resample(predictions: Mapping[str, Predictions], units: IntArray, resampling: Resampling) -> dict[str, _Draws]:
    metrics: dict[str, dict[str, list[FloatArray]]] = {name: {} for name in predictions}
    classes: dict[str, dict[str, list[FloatArray]]] = {name: {} for name in predictions}
    for counts in resample_counts(units, num_resamples=resampling.num_resamples, seed=resampling.seed):
        for name, run in predictions.items():
            resamples = Resamples(run, counts)
            for key, metric in _metrics(run.num_classes).items():
                metrics[name].setdefault(key, []).append(metric.resampled(resamples))
            scores = _class_scores(resamples.num_correct, resamples.support, resamples.num_predicted)
            for key, values in scores.items():
                classes[name].setdefault(key, []).append(values)
    return {name: _Draws(_joined(metrics[name]), _joined(classes[name])) for name in predictions}


def _joined(chunks: Mapping[str, Sequence[FloatArray]]) -> dict[str, FloatArray]:
    return {key: np.concatenate(parts) for key, parts in chunks.items()}


def _class_scores(num_correct: FloatArray, support: FloatArray, num_predicted: FloatArray) -> dict[str, FloatArray]:
    """Recall, precision and F1 of each class, in the shape of the arguments; NaN where one is not defined."""
    quotients = {
        "recall": (num_correct, support),
        "precision": (num_correct, num_predicted),
        "f1": (2 * num_correct, support + num_predicted),
    }
    return {
        name: np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
        for name, (top, bottom) in quotients.items()
    }


def _metric_differences(
    reference: Predictions, run: Predictions, draws: tuple[_Draws, _Draws], judge: Judge
) -> dict[str, Difference]:
    before, after = draws
    return {
        name: judge.resampled_difference(
            metric.value(reference),
            metric.value(run),
            after.metrics[name] - before.metrics[name],
            higher_is_better=metric.higher_is_better,
        )
        for name, metric in _metrics(run.num_classes).items()
    }


def _class_changes(
    reference: Predictions,
    run: Predictions,
    class_names: Sequence[str],
    draws: tuple[_Draws, _Draws],
    judge: Judge,
) -> tuple[ClassChange, ...]:
    everything = np.ones((1, len(run.labels)))
    tables = [Resamples(each, everything) for each in (reference, run)]
    old, new = (_class_scores(each.num_correct[0], each.support[0], each.num_predicted[0]) for each in tables)
    broken, fixed = (np.bincount(run.labels[rows], minlength=run.num_classes) for rows in flips(reference, run))
    before, after = draws
    changes = []
    for index, name in enumerate(class_names):
        scores = {
            key: judge.resampled_difference(
                old[key][index],
                new[key][index],
                after.classes[key][:, index] - before.classes[key][:, index],
                higher_is_better=True,
            )
            for key in CLASS_MEASURES
        }
        support = int(tables[0].support[0, index])
        changes.append(ClassChange(name, support, **scores, num_broken=int(broken[index]), num_fixed=int(fixed[index])))
    return tuple(changes)


def _judge(pair: PairedRun, alpha: float) -> PairedRun:
    """The verdict, which is that of the accuracy in the table as well."""
    accuracy = pair.metrics["accuracy"]
    outcome: Outcome = "no difference"
    if pair.num_other_class:
        is_sure = pair.p_holm < alpha and excludes_zero(accuracy.difference)
        outcome = name_outcome(accuracy.difference, is_sure=is_sure, higher_is_better=True)
    metrics = {**pair.metrics, "accuracy": replace(accuracy, outcome=outcome)}
    return replace(pair, outcome=outcome, metrics=metrics)
