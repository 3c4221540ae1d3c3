"""What a concept is to the classes: harmful, the object, or neither."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evalharness.audit import PullCell, PullEvidence, Role, name_shortcut
from evalharness.audit.pull import MIN_IMAGES, SIGNIFICANCE_LEVEL
from evalharness.records import IntArray

RoleFrom = Literal["config", "measured"]


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept, as measured on the claiming half."""

    number: int
    """From 1, the largest in the fitting half first."""
    name: str
    """As it is told."""
    role: Role
    role_from: RoleFrom
    shortcut: PullCell | None
    """The cell that makes it harmful; None where it is not."""
    strongest: PullCell | None
    """The cell with the largest pull, tested or not; None where all are of too few photos for a test."""
    num_photos: int
    """Of the claiming half that hold it."""
    label_parts: Mapping[str, float]
    """Part of these photos by true class, the largest first."""

    @property
    def is_harmful(self) -> bool:
        """Whether it is a distractor that pulls, sure to be more than the least pull."""
        return self.shortcut is not None


def judge_concepts(
    evidence: Sequence[PullEvidence],
    cells: Sequence[PullCell],
    class_names: Sequence[str],
    *,
    labels: IntArray,
    roles: Mapping[int, Role],
    min_pull: float,
) -> tuple[Concept, ...]:
    """Judges every concept; harmful ones first, then by their largest pull, objects last.

    A concept is the object if it sits in one class (its part there is at least half-way from that class's part of all
    photos to 1), adds to no class as much as to that one, and pulls significantly to no other.

    Args:
        evidence: A concept each, in the order of their numbers.
        cells: Of `pull_matrix` on this evidence.
        class_names: In the order of the outputs.
        labels: Class index of every photo of the claiming half.
        roles: By number, those that the user gave.
        min_pull: What the interval of a pull must lie above to be harmful, in probability.
    """
    base = np.bincount(labels, minlength=len(class_names)) / max(1, len(labels))
    concepts = []
    for number, found in enumerate(evidence, start=1):
        own = [cell for cell in cells if cell.category == found.category]
        role: Role = roles.get(number) or ("object" if _is_object(found, own, base) else "distractor")
        counts = np.bincount(found.labels, minlength=len(class_names))
        order = [index for index in np.argsort(-counts, kind="stable") if counts[index]]
        told = [cell for cell in own if cell.num_images >= MIN_IMAGES]
        concepts.append(
            Concept(
                number=number,
                name=found.category,
                role=role,
                role_from="config" if number in roles else "measured",
                shortcut=name_shortcut(own, min_pull) if role == "distractor" else None,
                strongest=max(told, key=lambda cell: cell.pull.value, default=None),
                num_photos=len(found.labels),
                label_parts={class_names[index]: float(counts[index] / counts.sum()) for index in order},
            )
        )
    return tuple(sorted(concepts, key=_order))


def num_photos_to_test(evidence: Sequence[PullEvidence], class_names: Sequence[str], num_photos: int) -> int | None:
    """How many photos it takes, at the frequencies seen, until half of the concepts can be found significant.

    Args:
        evidence: A concept each.
        class_names: In the order of the outputs.
        num_photos: At hand, of both halves.

    Returns:
        None where so many are at hand, or no concept is in any photo.
    """
    # A sign test of n photos gives at least 2^-n, which Holm's correction multiplies; as if a pair of each were tested.
    needed = max(MIN_IMAGES, math.ceil(math.log2(max(1, len(evidence)) / SIGNIFICANCE_LEVEL)))
    reached = [
        max(int(((found.labels != index) & can_tell).sum()) for index in range(len(class_names)))
        for found in evidence
        if (can_tell := ~np.isnan(found.gains).any(axis=1)).any()
    ]
    if not reached:
        return None
    middle = float(np.median(reached))
    return None if middle >= needed else math.ceil(num_photos * needed / max(middle, 1))


def _is_object(found: PullEvidence, cells: Sequence[PullCell], base: np.ndarray) -> bool:  # type: ignore[type-arg]
    counts = np.bincount(found.labels, minlength=len(base))
    if not counts.any():
        return False
    home = int(counts.argmax())
    if counts[home] / counts.sum() < (1 + base[home]) / 2:
        return False
    if any(cell.is_significant for index, cell in enumerate(cells) if index != home):
        return False
    gains = found.gains[~np.isnan(found.gains).any(axis=1)]
    return bool(len(gains)) and int(gains.mean(axis=0).argmax()) == home


def _order(concept: Concept) -> tuple[int, float, int]:
    cell = concept.shortcut or concept.strongest
    rank = 0 if concept.is_harmful else 2 if concept.role != "distractor" else 1
    return rank, -cell.pull.value if cell else math.inf, concept.number
