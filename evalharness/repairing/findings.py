"""Everything that a repair found: before and after on the same photos, and what is to be said of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from evalharness import comparison
from evalharness.audit import PullCell, PullEvidence, name_shortcut, pull_matrix
from evalharness.audit.intervals import mean_interval
from evalharness.audit.pull import MIN_IMAGES
from evalharness.comparison import PairedRun
from evalharness.metrics.predictions import Predictions
from evalharness.records import FloatArray, IntArray, Interval
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.harm import Harm
from evalharness.repairing.proof import CategoryProof, Proof
from evalharness.repairing.verdict import PullChange, Verdict

BEFORE, AFTER = "before", "after"
WITHOUT = "without"


@dataclass(frozen=True)
class AccuracyChange:
    """The verdicts on some photos, before and after."""

    name: str
    """`without` a distractor, or the category that the photos hold."""
    is_pasted: bool
    before: Interval
    after: Interval
    pair: PairedRun
    """The paired comparison; its reference is before."""


@dataclass(frozen=True)
class RepairFindings:
    """Before and after."""

    verdict: Verdict
    accuracies: tuple[AccuracyChange, ...]
    """On photos without a distractor first, where there are any; then with each category."""
    pulls: tuple[PullChange, ...]
    """Of every category and class that was measured, the harmful ones first."""
    pull_before: tuple[PullCell, ...]
    pull_after: tuple[PullCell, ...]


def measure_pull(evaluation: Evaluation, proof: Proof, logits: FloatArray) -> tuple[PullCell, ...]:
    """The pull of every category whose pull is measured.

    Args:
        evaluation: The rows.
        proof: What was asked.
        logits: Of every shot, (shots, C).
    """
    return _pull(evaluation, _evidence(evaluation, proof, logits))


def examine(evaluation: Evaluation, proof: Proof, harm: Harm, before: FloatArray, after: FloatArray) -> RepairFindings:
    """Compares the model before and after on the same photos.

    Args:
        evaluation: The rows.
        proof: What was asked.
        harm: What was to be repaired.
        before: Logits of every shot, (shots, C).
        after: Of the repaired model.
    """
    evidence = (_evidence(evaluation, proof, before), _evidence(evaluation, proof, after))
    cells = (_pull(evaluation, evidence[0]), _pull(evaluation, evidence[1]))
    pulls = _pull_changes(evaluation, harm, evidence, cells)
    accuracies = _accuracy_changes(evaluation, proof, before, after)
    without = next((entry for entry in accuracies if entry.name == WITHOUT), None)
    shortcut = name_shortcut(cells[1], evaluation.min_pull)
    verdict = Verdict(
        changes=tuple(change for change in pulls if change.is_harmful),
        new=None if shortcut is None or _is_of(shortcut, harm) else shortcut,
        gained=0.0 if without is None else without.pair.metrics["accuracy"].difference.value,
        min_pull=evaluation.min_pull,
        min_difference=evaluation.config.compare.min_difference,
    )
    return RepairFindings(verdict, accuracies, pulls, *cells)


def _is_of(cell: PullCell, harm: Harm) -> bool:
    return any((cell.category, cell.class_name) == (known.category, known.class_name) for known in harm.cells)


def _evidence(evaluation: Evaluation, proof: Proof, logits: FloatArray) -> list[PullEvidence]:
    probs: FloatArray = softmax(logits, axis=1)
    return [
        PullEvidence(
            entry.category,
            evaluation.labels[entry.positions],
            entry.gains(probs),
            _groups(evaluation, entry.positions),
        )
        for entry in proof.categories
        if entry.has_pull
    ]


def _pull(evaluation: Evaluation, evidence: Sequence[PullEvidence]) -> tuple[PullCell, ...]:
    return pull_matrix(evidence, evaluation.classes, resampling=evaluation.resampling)


def _pull_changes(
    evaluation: Evaluation,
    harm: Harm,
    evidence: tuple[Sequence[PullEvidence], Sequence[PullEvidence]],
    cells: tuple[tuple[PullCell, ...], tuple[PullCell, ...]],
) -> tuple[PullChange, ...]:
    by_category = {old.category: (old, new) for old, new in zip(*evidence, strict=True)}
    changes = []
    for old, new in zip(*cells, strict=True):
        place = evaluation.classes.index(old.class_name)
        before, after = by_category[old.category]
        kept = before.labels != place
        fallen = before.gains[kept, place] - after.gains[kept, place]
        groups = [group for group, is_kept in zip(before.groups or (), kept, strict=True) if is_kept]
        changes.append(
            PullChange(
                old.category, old.class_name, old.num_images, old.pull, new.pull,
                mean_interval(fallen, groups, evaluation.resampling), _is_of(old, harm),
                is_tested=old.num_images >= MIN_IMAGES,
            )
        )  # fmt: skip
    return tuple(sorted(changes, key=lambda change: (not change.is_harmful, -change.before.value)))


def _accuracy_changes(
    evaluation: Evaluation, proof: Proof, before: FloatArray, after: FloatArray
) -> tuple[AccuracyChange, ...]:
    everything = [CategoryProof(WITHOUT, proof.without, proof.without)] if len(proof.without) else []
    return tuple(
        _accuracy_change(evaluation, entry, {BEFORE: before[entry.shots], AFTER: after[entry.shots]})
        for entry in (*everything, *proof.categories)
        if len(entry.positions)
    )


def _accuracy_change(evaluation: Evaluation, entry: CategoryProof, logits: Mapping[str, FloatArray]) -> AccuracyChange:
    labels, groups = evaluation.labels[entry.positions], _groups(evaluation, entry.positions)
    predictions = comparison.average_alike(
        {name: Predictions(labels, softmax(np.asarray(values, np.float64), axis=1)) for name, values in logits.items()}
    )
    (pair,) = comparison.compare_predictions(
        predictions,
        class_names=evaluation.classes,
        groups=groups,
        resampling=evaluation.resampling,
        min_difference=evaluation.config.compare.min_difference,
    )
    before, after = (
        mean_interval(predictions[name].is_correct, groups, evaluation.resampling) for name in (BEFORE, AFTER)
    )
    return AccuracyChange(entry.category, entry.is_pasted, before, after, pair)


def _groups(evaluation: Evaluation, positions: IntArray) -> Sequence[str]:
    return [evaluation.samples[place].group for place in positions]
