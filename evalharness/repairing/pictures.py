"""The figures of a repair, each before beside after."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import softmax

from evalharness import report
from evalharness.attention import METHODS, map_specs
from evalharness.inference import ForwardPass
from evalharness.records import MapSpec, VisionTransformer
from evalharness.repairing.mended import Mended
from evalharness.repairing.proof import CategoryProof
from evalharness.report.lineup import LineupCell, LineupRow, draw_lineup
from evalharness.report.repair_figures import BeforeAndAfter, draw_accuracies, draw_pulls

MAX_ROWS = 4
MAX_PULLS = 12


def draw_figures(folder: Path, before: VisionTransformer, after: VisionTransformer, mended: Mended) -> None:
    """Writes `accuracy.png` and `pull.png`, and `maps.png` where a photo with a harmful category was wrong.

    Args:
        folder: Where to.
        before: The run's model.
        after: The repaired one.
        mended: What was done.
    """
    accuracies = [
        BeforeAndAfter(
            "without a distractor" if entry.name == "without" else f"with {entry.name}",
            entry.pair.num_images, entry.before, entry.after,
        )
        for entry in mended.findings.accuracies
    ]  # fmt: skip
    report.save_figure(draw_accuracies(accuracies), folder / "accuracy.png")
    pulls = [
        BeforeAndAfter(f"{change.category} to {change.class_name}", change.num_images, change.before, change.after)
        for change in mended.findings.pulls
        if change.is_tested
    ]
    if pulls:
        report.save_figure(draw_pulls(pulls[:MAX_PULLS], mended.evaluation.min_pull, len(pulls)), folder / "pull.png")
    spec = shown_map(mended)
    wrong = choose_wrong(mended)
    rows = [] if spec is None else _wrong_photos(before, after, mended, wrong[:MAX_ROWS], spec)
    if spec is not None and rows:
        title = (
            f"{len(rows)} of {len(wrong)} photos with what harmed, named wrong before, as the model gets them — "
            f"{spec.map_id} of each verdict"
        )
        density_max = mended.evaluation.config.report.density_max
        report.save_figure(
            draw_lineup(rows, ["before", "after"], title=title, density_max=density_max), folder / "maps.png"
        )


def shown_map(mended: Mended) -> MapSpec | None:
    """The first map of the run that depends on the class, else its first; None where it has none."""
    specs = map_specs(mended.evaluation.config.attention, mended.evaluation.classes)
    return next(iter([*(spec for spec in specs if METHODS[spec.method].is_class_specific), *specs]), None)


def choose_wrong(mended: Mended) -> list[tuple[CategoryProof, int]]:
    """Photos with a harmful category that were named wrong: those that are right now first, the surest mistakes first.

    Returns:
        The category, and the photo's place in it.
    """
    ranked = []
    for entry in mended.proof.categories:
        if entry.category in mended.harm.categories:
            labels = mended.evaluation.labels[entry.positions]
            probs = softmax(np.asarray(mended.before[entry.shots], np.float64), axis=1)
            is_right = mended.after[entry.shots].argmax(axis=1) == labels
            wrong = np.flatnonzero(probs.argmax(axis=1) != labels)
            ranked += [(not is_right[place], -probs[place].max(), entry, int(place)) for place in wrong]
    ranked.sort(key=lambda found: found[:2])
    return [(entry, place) for _, _, entry, place in ranked]


def _wrong_photos(
    before: VisionTransformer,
    after: VisionTransformer,
    mended: Mended,
    chosen: Sequence[tuple[CategoryProof, int]],
    spec: MapSpec,
) -> Sequence[LineupRow]:
    evaluation = mended.evaluation
    if not chosen:
        return ()
    images = np.stack([mended.proof.shots[entry.shots[place]].load() for entry, place in chosen])
    positions = np.array([entry.positions[place] for entry, place in chosen])
    row_ids = [evaluation.samples[position].row_id for position in positions]
    labels = evaluation.labels[positions].astype(np.int32)
    outputs = [ForwardPass(model, [spec])(images, labels, row_ids) for model in (before, after)]
    rows = []
    for number, (entry, _) in enumerate(chosen):
        cells = []
        for output in outputs:
            probs = softmax(np.asarray(output.logits[number], np.float64))
            verdict = int(probs.argmax())
            pair = report.AttentionPair(
                row_ids[number], images[number], np.asarray(output.densities[spec.map_id][number], np.float32),
                evaluation.classes[labels[number]], evaluation.classes[verdict], float(probs[verdict]), spec.map_id,
            )  # fmt: skip
            cells.append(LineupCell(pair, f"{entry.category} pasted" if entry.is_pasted else f"holds {entry.category}"))
        rows.append(LineupRow(row_ids[number], images[number], tuple(cells)))
    return rows
