"""What a comparison says, in plain words."""

import math
from collections.abc import Mapping, Sequence

from evalharness.comparison.audits import CategoryChange
from evalharness.comparison.maps import MapSimilarity
from evalharness.comparison.outcomes import UNTOLD, Difference
from evalharness.comparison.pairs import PairedRun
from evalharness.manifest import name_classes
from evalharness.metrics.predictions import Predictions

ENOUGH = 1.0
"""A number of images as large as this part of those at hand would already have told."""


def describe_pair(pair: PairedRun, num_compared: int) -> str:
    """Better, worse, probably so, or cannot tell (`outcomes.RULE`); and how many images it would take.

    Args:
        pair: One run against the reference.
        num_compared: Runs that are compared with the reference, which Holm's correction is for.
    """
    headline = name_verdict(pair.name, pair.reference, pair.outcome)
    if pair.outcome == "no difference":
        return f"{headline}: {_equal(pair)} on {pair.num_images:,} images."
    sentence = f"{headline}: {_numbers(pair, num_compared)}."
    is_sure = pair.outcome in ("better", "worse")
    return sentence if is_sure else f"{sentence} {_how_many(pair)}"


def name_verdict(name: str, reference: str, outcome: str) -> str:
    """The verdict on a run without numbers, which its sentence begins with."""
    if outcome == "no difference":
        return f"No difference between {name} and {reference}"
    if outcome == "cannot tell":
        return f"Cannot tell {name} from {reference}"
    return f"{name} is {outcome} than {reference}"


def describe_averages(predictions: Mapping[str, Predictions], class_names: Sequence[str]) -> list[str]:
    """Over which classes the averages of all runs run; nothing to say where these are all classes.

    Args:
        predictions: By run name, averaged over the same classes.
        class_names: Of the columns.
    """
    runs = list(predictions.values())
    averaged = {class_names[index] for index in runs[0].averaged_classes}
    if len(averaged) == len(class_names):
        return []
    absent = [name for name in class_names if name not in averaged]
    counted = f"Averages of all runs are over the same {len(averaged)} of {len(class_names)} classes"
    verb = "does" if len(absent) == 1 else "do"
    return [f"{counted}: {name_classes(absent)} {verb} not occur among the labels or in any run's verdicts."]


def describe_category_change(change: CategoryChange, reference: str) -> str | None:
    """Whether a run looks at a distractor, or relies on it, more or less than the reference; None if neither shows."""
    if change.role != "distractor":
        return None
    parts = []
    for name, words in (("share", "of its attention on"), ("relies", "of its verdicts relying on")):
        measure = change.measures[name]
        if measure.outcome not in UNTOLD:
            surely = "probably " if measure.outcome.startswith("probably") else ""
            direction = f"{surely}{'more' if measure.difference.value > 0 else 'less'}"
            parts.append(
                f"{direction} {words} {change.category} ({measure.value:.1%} against {measure.reference:.1%}, "
                f"difference {points_text(measure)}, {change.num_judged[name]} images)"
            )
    if not parts:
        return None
    return f"{change.name} has {' and '.join(parts)} than {reference} ({change.map_id})."


def describe_maps(similarities: Sequence[MapSimilarity]) -> list[str]:
    """A sentence for each map that could not differ, and for each that could."""
    sentences = []
    for entry in similarities:
        if entry.same_by_construction:
            sentences.append(f"{entry.same_by_construction}.")
        elif not math.isnan(entry.mean.value):
            mean = entry.mean
            ends = "" if math.isnan(mean.ci_low) else f" [{mean.ci_low:.2f}, {mean.ci_high:.2f}]"
            sentences.append(
                f"{entry.map_id} of {entry.name}: mean rank correlation with the reference {mean.value:.2f}{ends}."
            )
    return list(dict.fromkeys(sentences))


def _equal(pair: PairedRun) -> str:
    if pair.max_probability_change == 0:
        return "every probability is the same"
    return f"every verdict is the same (probabilities differ by up to {pair.max_probability_change:.2g})"


def _numbers(pair: PairedRun, num_compared: int) -> str:
    accuracy = pair.metrics["accuracy"]
    corrected = f", {pair.p_holm:.2g} after Holm's correction over {num_compared} runs" if num_compared > 1 else ""
    return (
        f"accuracy {accuracy.value:.1%} against {accuracy.reference:.1%} on {pair.num_images:,} images, difference "
        f"{points_text(accuracy)}; {pair.num_broken} broken, {pair.num_fixed} fixed, exact McNemar "
        f"p = {pair.p_value:.2g}{corrected}"
    )


def _how_many(pair: PairedRun) -> str:
    points = f"{100 * pair.min_difference:g} points"
    if pair.num_images_to_tell is None:
        return (
            f"They disagree on {pair.discordant_rate:.1%} of the images, so that a difference of {points} is not to be "
            "expected; a smaller one would take more images than that."
        )
    wanted = f"about {pair.num_images_to_tell:,} images"
    if pair.num_images_to_tell <= ENOUGH * pair.num_images:
        return (
            f"A difference of {points} would have taken {wanted} to show, at 80 % power: if there is one, it is "
            "probably smaller."
        )
    return f"To tell a difference of {points} at 80 % power takes {wanted}, at the disagreement seen."


def points_text(measure: Difference) -> str:
    """A difference in points with its interval."""
    interval = measure.difference
    return f"{100 * interval.value:+.1f} points [{100 * interval.ci_low:+.1f}, {100 * interval.ci_high:+.1f}]"
