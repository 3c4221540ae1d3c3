"""The cut-outs: of the run's own regions, or a folder's; some to train with, others to prove with."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness import dataset as datasets
from evalharness.audit import BoolArray
from evalharness.audit.geometry import bounding_box, resample
from evalharness.config import RepairConfig
from evalharness.dataset.cutouts import Cutouts, load_cutouts
from evalharness.errors import ConfigError, ResultsError
from evalharness.records import Sample, UInt8Array
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.harm import Harm
from evalharness.repairing.regions import Regions

MAX_CUTOUTS = 24
"""Of each category that are cut out of the run's photos: the rest is left for the proof."""
MAX_SIDE = 256
"""Pixels of a cut-out's longer side."""
MIN_SIDE = 8
"""Of its shorter one: less shows nothing."""


@dataclass(frozen=True)
class SplitCutouts:
    """Two halves that share no cut-out, where there are two."""

    training: Cutouts
    proof: Cutouts
    """Of the same categories; one that has a single cut-out has it in both."""
    used_groups: frozenset[str]
    """Groups of evaluated rows that the training cut-outs were cut from: they prove nothing."""

    @property
    def categories(self) -> tuple[str, ...]:
        """What is pasted."""
        return tuple(self.training.by_category)

    @property
    def shared(self) -> tuple[str, ...]:
        """Categories whose one cut-out is in both halves."""
        proof = self.proof.by_category
        return tuple(name for name, images in self.training.by_category.items() if set(images) & set(proof[name]))


def gather_cutouts(
    config: RepairConfig, evaluation: Evaluation, harm: Harm | None, regions: Regions | None
) -> SplitCutouts:
    """The cut-outs of a folder, else of the run's regions.

    Args:
        config: The `repair` section.
        evaluation: Whose photos the regions are on.
        harm: What is to be repaired; None: a folder tells what is pasted.
        regions: Of the harmful categories.

    Raises:
        EvalHarnessError: There is no cut-out of a harmful category.
    """
    if config.cutouts is not None:
        return _of_folder(config, evaluation, harm)
    if harm is None or regions is None:
        raise ConfigError(
            "nothing is known to harm the run",
            expected="an audit of annotated regions, discovered concepts, or cut-outs",
            got="none of them",
            where="repair.cutouts",
            fix="Set repair.cutouts=DIR, or evaluate with dataset.annotations=PATH",
        )
    return _of_regions(evaluation, harm.categories, regions)


def _of_folder(config: RepairConfig, evaluation: Evaluation, harm: Harm | None) -> SplitCutouts:
    found = load_cutouts(config.cutouts) if config.cutouts else {}
    missing = sorted(set(harm.categories) - set(found)) if harm else []
    if missing:
        raise ConfigError(
            f"no cut-outs of {', '.join(missing)}, which the run is to be repaired of",
            expected=f"categories {', '.join(harm.categories) if harm else ''}",
            got=", ".join(found),
            where="repair.cutouts",
            fix="Name the sub-folders like the categories",
        )
    halves: tuple[dict[str, Mapping[str, UInt8Array]], ...] = ({}, {})
    for category, images in found.items():
        ordered = in_random_order(list(images), evaluation.config.seed)
        for half, names in zip(halves, split_in_half(ordered), strict=True):
            half[category] = {name: images[name] for name in names}
    return SplitCutouts(Cutouts(halves[0]), Cutouts(halves[1]), frozenset())


def _of_regions(evaluation: Evaluation, categories: Sequence[str], regions: Regions) -> SplitCutouts:
    held = {
        name: [sample for sample in evaluation.samples if name in regions.by_row.get(sample.row_id, ())]
        for name in categories
    }
    sides = _sides([sample for samples in held.values() for sample in samples], regions, evaluation.config.seed)
    used: set[str] = set()
    halves: tuple[dict[str, Mapping[str, UInt8Array]], ...] = ({}, {})
    for category, samples in held.items():
        for half, side in zip(halves, sides, strict=True):
            own = {sample.row_id: sample.group for sample in samples if sample.group in side}
            half[category] = _cut_from(
                evaluation, regions, category, in_random_order(list(own), evaluation.config.seed)
            )
            if half is halves[0]:
                used |= {own[row_id] for row_id in half[category]}
    empty = [name for name in categories if not halves[0][name]]
    if empty:
        raise ResultsError(
            f"nothing can be cut out of the photos with {', '.join(empty)}",
            expected=f"regions of at least {MIN_SIDE} x {MIN_SIDE} pixels in two photos",
            got=", ".join(f"{len(held[name])} photos with {name}" for name in empty),
            where=evaluation.run.result.folder,
            fix="Set repair.cutouts=DIR",
        )
    for name in categories:
        halves[1][name] = halves[1][name] or halves[0][name]
    return SplitCutouts(Cutouts(halves[0]), Cutouts(halves[1]), frozenset(used))


def _sides(samples: Sequence[Sample], regions: Regions, seed: int) -> tuple[set[str], set[str]]:
    """The groups to cut training cut-outs from, and the others."""
    groups = {sample.group for sample in samples}
    known = {sample.group for sample in samples if sample.row_id in regions.known_from}
    if known:
        return known, groups - known
    first, second = split_in_half(in_random_order(groups, seed))
    return set(first), set(second)


def _cut_from(evaluation: Evaluation, regions: Regions, category: str, row_ids: Sequence[str]) -> dict[str, UInt8Array]:
    found: dict[str, UInt8Array] = {}
    for row_id in row_ids:
        if len(found) == MAX_CUTOUTS:
            break
        path = evaluation.samples[evaluation.positions[row_id]].path
        cutout = cut_out(datasets.load_photo(path, config=evaluation.config.dataset), regions.masks(row_id)[category])
        if min(cutout.shape[:2]) >= MIN_SIDE:
            found[row_id] = cutout
    return found


def cut_out(photo: UInt8Array, mask: BoolArray) -> UInt8Array:
    """What a mask (height, width) shows of a photo, RGBA, at most `MAX_SIDE` long, transparent around it."""
    if not mask.any():
        return np.zeros((0, 0, 4), np.uint8)
    top, bottom, left, right = bounding_box(mask)
    window = (slice(top, bottom), slice(left, right))
    alpha = mask[window][..., None].astype(np.float64)
    colours = photo[window] * alpha
    height, width = alpha.shape[:2]
    scale = min(1.0, MAX_SIDE / max(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    alpha, colours = resample(alpha, size), resample(colours, size)
    # Colours are averaged by what is visible of them.
    visible = np.where(alpha > 0, colours / np.where(alpha > 0, alpha, 1), 0)
    cutout: UInt8Array = np.rint(np.concatenate([visible, 255 * alpha], axis=2)).astype(np.uint8)
    return cutout


def split_in_half(ordered: Sequence[str]) -> tuple[list[str], list[str]]:
    """The first half, the larger of odd numbers, and the second; a single one is in both."""
    middle = -(-len(ordered) // 2)
    return list(ordered[:middle]), list(ordered[middle:] or ordered)


def in_random_order(names: Sequence[str] | set[str], seed: int) -> list[str]:
    """By a hash of seed and name: the same in every run, whatever the order given."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
