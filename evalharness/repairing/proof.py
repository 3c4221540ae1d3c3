"""What is to be proved on the evaluated photos: which hold a category, and what each is compared with."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from evalharness.audit import ImageRegions, clean_gains, erase, erasure_gains, plan_region
from evalharness.audit.pull import MIN_IMAGES
from evalharness.records import FloatArray, IntArray, UInt8Array
from evalharness.repairing.cutouts import SplitCutouts
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.features import Shot, pasted_shot, photo_shot
from evalharness.repairing.harm import Harm
from evalharness.repairing.regions import NO_REGIONS, Regions
from evalharness.report import select_samples

MAX_PASTED = 300
"""Photos that the cut-outs of a category are pasted into."""
NONE = -1


@dataclass(frozen=True)
class CategoryProof:
    """The photos that show what one category does."""

    category: str
    positions: IntArray
    """Of the rows, (n,)."""
    shots: IntArray
    """Of the photos with the category among all shots, (n,)."""
    clean: IntArray | None = None
    """Of the same photos without it, (n,), `NONE` where there is none; None: the region is erased instead."""
    erased: IntArray | None = None
    """Of the photos with the region erased, (n,), `NONE` where nothing could be; None: no pull is measured."""
    controls: IntArray | None = None
    """Of the same shape erased elsewhere, (n, K), `NONE` where there was no place."""
    is_pasted: bool = False
    """Whether its cut-outs are pasted, as no or too few evaluated photos hold it."""

    @property
    def has_pull(self) -> bool:
        """Whether its pull is measured."""
        return self.clean is not None or self.erased is not None

    def gains(self, probs: FloatArray) -> FloatArray:
        """What the category adds to the probability of each class, (n, C); NaN in photos that cannot tell.

        Args:
            probs: Of every shot, (shots, C).
        """
        known = np.concatenate([probs, np.full((1, probs.shape[1]), np.nan)])
        if self.clean is not None:
            return clean_gains(known[self.shots], known[self.clean])
        if self.erased is None or self.controls is None:
            raise ValueError(f"no pull is measured of {self.category}")
        return erasure_gains(known[self.erased], known[self.controls])


@dataclass(frozen=True)
class Proof:
    """All that the model is asked before and after."""

    shots: tuple[Shot, ...]
    """The evaluated photos first, in the order of the rows."""
    without: IntArray
    """Positions of the rows whose photo holds no distractor."""
    categories: tuple[CategoryProof, ...]


def plan_proof(evaluation: Evaluation, cutouts: SplitCutouts, harm: Harm | None, regions: Regions | None) -> Proof:
    """Decides what is asked of the model: every evaluated photo, and what pull takes beside it.

    A category that at least `MIN_IMAGES` photos of other classes hold is proved on these, without those that training
    cut-outs were cut from; any other on photos that its unused cut-outs are pasted into.

    Args:
        evaluation: The rows.
        cutouts: Split.
        harm: What is to be repaired; None: what is pasted is to be measured.
        regions: Where the categories are on the evaluated photos.
    """
    shots = [photo_shot(evaluation.photos, sample.row_id) for sample in evaluation.samples]
    regions = regions or NO_REGIONS
    distractors = set(regions.distractors)
    holds = {row_id: names & distractors for row_id, names in regions.by_row.items()}
    without = [place for place, sample in enumerate(evaluation.samples) if not holds.get(sample.row_id)]
    harmful = harm.categories if harm else cutouts.categories
    chosen = select_samples([evaluation.samples[place] for place in without], MAX_PASTED, evaluation.config.seed)
    found = []
    for category in sorted({*distractors, *harmful, *cutouts.categories}):
        held = [
            place
            for place, sample in enumerate(evaluation.samples)
            if category in holds.get(sample.row_id, ())
            and sample.group not in cutouts.used_groups
            and sample.row_id not in regions.known_from
        ]
        if _tells(evaluation, held, harm, category):
            found.append(_in_place(evaluation, category, held, shots, regions, has_pull=category in harmful))
        elif category in cutouts.categories:
            found.append(_pasted(evaluation, category, chosen, shots, cutouts))
        elif held:
            found.append(_in_place(evaluation, category, held, shots, regions, has_pull=False))
    return Proof(tuple(shots), np.array(without, np.int64), tuple(found))


def _tells(evaluation: Evaluation, held: Sequence[int], harm: Harm | None, category: str) -> bool:
    """Whether enough photos of other classes than those that the category pulls to hold it."""
    pulled = {cell.class_name for cell in harm.cells if cell.category == category} if harm else set()
    names = pulled or set(evaluation.classes)
    return all(sum(evaluation.samples[place].label != name for place in held) >= MIN_IMAGES for name in names)


def _in_place(
    evaluation: Evaluation,
    category: str,
    held: Sequence[int],
    shots: list[Shot],
    regions: Regions,
    *,
    has_pull: bool,
) -> CategoryProof:
    positions = np.array(held, np.int64)
    if evaluation.config.dataset.clean_column is not None:
        clean = [evaluation.positions.get(evaluation.samples[place].clean_row_id, NONE) for place in held]
        return CategoryProof(category, positions, positions, clean=np.array(clean, np.int64))
    if not has_pull:
        return CategoryProof(category, positions, positions)
    num_controls = evaluation.config.audit.num_controls
    erased, controls = np.full(len(held), NONE), np.full((len(held), num_controls), NONE)
    for number, place in enumerate(held):
        row_id = evaluation.samples[place].row_id
        planned = _erasures(evaluation, row_id, category, regions.on_input(row_id, evaluation.photos), regions)
        if planned:
            erased[number] = len(shots)
            controls[number, : len(planned) - 1] = len(shots) + 1 + np.arange(len(planned) - 1)
            shots.extend(planned)
    return CategoryProof(category, positions, positions, erased=erased, controls=controls)


def _erasures(
    evaluation: Evaluation, row_id: str, category: str, on_input: ImageRegions, regions: Regions
) -> list[Shot]:
    """The photo with the region erased, then with each control; nothing where there is no control. As the audit."""
    audit = evaluation.config.audit
    plan = plan_region(
        on_input, category, regions.roles, row_id=row_id, avoid=audit.controls_avoid, num_controls=audit.num_controls
    )
    if plan.status != "ok":
        return []

    photo_pixels = on_input.photo_pixels

    def load(index: int) -> UInt8Array:
        pixels = plan.pixels if index == NONE else plan.control(index)
        return erase(evaluation.photos.load_input(row_id), pixels, audit.fill, photo_pixels=photo_pixels)

    shape = hashlib.sha256(np.packbits(plan.pixels).tobytes()).hexdigest()[:16]
    keys = [(NONE, "here"), *((index, f"{offset}") for index, offset in enumerate(plan.offsets))]
    return [
        Shot(f"{evaluation.sha256(row_id)} erased {audit.fill} {shape} {where}", partial(load, index))
        for index, where in keys
    ]


def _pasted(
    evaluation: Evaluation, category: str, chosen: Sequence[str], shots: list[Shot], cutouts: SplitCutouts
) -> CategoryProof:
    positions = np.array([evaluation.positions[row_id] for row_id in chosen], np.int64)
    first = len(shots)
    scale = evaluation.config.repair.scale
    shots += [pasted_shot(evaluation.photos, row_id, category, cutouts.proof, scale) for row_id in chosen]
    return CategoryProof(category, positions, first + np.arange(len(chosen)), clean=positions, is_pasted=True)
