"""Whether runs may be compared at all: the same rows, labels, images and maps, or a refusal that names what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.errors import ResultsError
from evalharness.records import FloatArray, IntArray

MAX_NAMED = 3
OPTIONS = ("method", "target", "options", "version")
GEOMETRY = ("input.resize", "input.exif")
"""With other values the patches of one run show other parts of the photo than those of the other."""

SAME_CUT = 0.01
"""In parts of the photo: 224 of 256 px and 384 of 438 px cut alike."""


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison takes from one finished evaluation; N evaluated rows, C classes."""

    name: str
    """Different in every run of a comparison."""
    row_ids: tuple[str, ...]
    labels: tuple[str, ...]
    digests: tuple[str, ...]
    """SHA-256 of each row's image file."""
    groups: tuple[str, ...]
    """What the bootstrap draws together."""
    skipped: tuple[str, ...]
    """Row ids that this run left out."""
    classes: tuple[str, ...]
    """In the order of its outputs."""
    probs: FloatArray
    """(N, C)."""
    maps: Mapping[str, Mapping[str, object]]
    """By map id: method, target, options and version."""
    settings: Mapping[str, object]
    """What may differ, by dotted name."""
    image_size: tuple[int, int]
    """(height, width) of the model's input."""
    backbone_sha256: str = ""


@dataclass(frozen=True)
class SettingDifference:
    """One setting that is not the same in all runs."""

    field: str
    values: tuple[object, ...]
    """In the order of the runs."""


@dataclass(frozen=True)
class Alignment:
    """The rows and maps that all runs have, and what else differs."""

    row_ids: tuple[str, ...]
    """In the order of the first run."""
    positions: tuple[IntArray, ...]
    """Of these rows in each run, (rows,)."""
    num_dropped: int
    """Rows that some run evaluated and another skipped: left out of all."""
    map_ids: tuple[str, ...]
    differences: tuple[SettingDifference, ...]
    unlike_maps: str | None
    """Why maps cannot be laid over each other; None if they can."""


def align_runs(runs: Sequence[ComparedRun], maps: Sequence[str] | None = None) -> Alignment:
    """Finds the rows that all runs evaluated, and checks that everything that must be the same is.

    Args:
        runs: At least two; the first gives the order.
        maps: The maps to compare; default: those of the runs, which must then have the same.

    Raises:
        ResultsError: Row ids, labels, images, classes, map ids or map options differ; every such field is named.
    """
    first = runs[0]
    faults = [fault for run in runs[1:] for fault in (*_unlike_rows(first, run), *_unlike_classes(first, run))]
    map_ids = tuple(first.maps) if maps is None else tuple(maps)
    faults += _unlike_maps(runs, map_ids, is_chosen=maps is not None)
    if faults:
        raise ResultsError(
            "runs cannot be compared:\n  " + "\n  ".join(faults),
            fix="\nA comparison needs the same rows, labels, images and maps: evaluate the runs again with the same "
            "dataset.csv, limit and attention.methods (compare.maps=[...] compares only the maps that all have)",
        )
    kept_by_all = set.intersection(*(set(run.row_ids) for run in runs))
    if not kept_by_all:
        raise ResultsError("runs have no row in common", fix="Every row was skipped in one of them")
    row_ids = tuple(row_id for row_id in first.row_ids if row_id in kept_by_all)
    return Alignment(
        row_ids=row_ids,
        positions=tuple(_positions(run, row_ids) for run in runs),
        num_dropped=len(set().union(*(run.row_ids for run in runs))) - len(row_ids),
        map_ids=map_ids,
        differences=list_differences(runs),
        unlike_maps=_unlike_geometry(runs),
    )


def list_differences(runs: Sequence[ComparedRun]) -> tuple[SettingDifference, ...]:
    """The settings that are not the same in all runs, in the order of the first."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    found = [SettingDifference(name, tuple(run.settings.get(name) for run in runs)) for name in names]
    return tuple(entry for entry in found if any(value != entry.values[0] for value in entry.values[1:]))


def align_probs(run: ComparedRun, positions: IntArray, classes: Sequence[str]) -> FloatArray:
    """The run's probabilities of these rows, with a column per class in the given order, (rows, C) float64."""
    columns = [run.classes.index(name) for name in classes]
    return np.asarray(run.probs, np.float64)[positions][:, columns]


def _unlike_rows(first: ComparedRun, run: ComparedRun) -> list[str]:
    """Rows, labels and image digests in which two runs differ; a row that one skipped need not be in the other."""
    between = f"{first.name} and {run.name}"
    faults = []
    only_first, only_other = (
        sorted(set(own.row_ids) - {*other.row_ids, *other.skipped}) for own, other in ((first, run), (run, first))
    )
    if only_first or only_other:
        faults.append(
            f"row ids: {len(only_first)} only in {first.name}{_examples(only_first)}, "
            f"{len(only_other)} only in {run.name}{_examples(only_other)}"
        )
    for field, what in (("labels", "labels"), ("digests", "image digests")):
        ours, theirs = (dict(zip(each.row_ids, getattr(each, field), strict=True)) for each in (first, run))
        unlike = [row_id for row_id in first.row_ids if row_id in theirs and ours[row_id] != theirs[row_id]]
        if unlike:
            faults.append(f"{what}: {len(unlike)} rows differ between {between}{_examples(unlike)}")
    return faults


def _unlike_classes(first: ComparedRun, run: ComparedRun) -> list[str]:
    if set(first.classes) == set(run.classes):
        return []
    return [f"classes: {', '.join(first.classes)} in {first.name}, {', '.join(run.classes)} in {run.name}"]


def _unlike_maps(runs: Sequence[ComparedRun], map_ids: Sequence[str], *, is_chosen: bool) -> list[str]:
    first, faults = runs[0], []
    for run in runs:
        missing = [map_id for map_id in map_ids if map_id not in run.maps]
        if missing and is_chosen:
            faults.append(f"map_id: {run.name} has no {', '.join(missing)} (it has {', '.join(run.maps) or 'none'})")
        elif set(run.maps) != set(map_ids) and not is_chosen:
            faults.append(
                f"map_id: {', '.join(map_ids) or 'none'} in {first.name}, {', '.join(run.maps) or 'none'} in {run.name}"
            )
        for map_id in map_ids:
            if map_id in run.maps and map_id in first.maps:
                faults += [
                    f"method options of {map_id}: {name} is {first.maps[map_id].get(name)} in {first.name}, "
                    f"{run.maps[map_id].get(name)} in {run.name}"
                    for name in OPTIONS
                    if first.maps[map_id].get(name) != run.maps[map_id].get(name)
                ]
    return faults


def _unlike_geometry(runs: Sequence[ComparedRun]) -> str | None:
    for name in GEOMETRY:
        values = [str(run.settings.get(name)) for run in runs]
        if len(set(values)) > 1:
            return f"{name} differs ({', '.join(values)}), so the same patch is another part of the photo"
    cuts = [_kept(run) for run in runs]
    if not np.allclose(cuts, cuts[0], atol=SAME_CUT):
        listed = ", ".join(str(run.settings.get("input.resize_size")) for run in runs)
        return f"input.resize_size differs ({listed}), so the same patch is another part of the photo"
    # Squashed photos fill any input; cropped and padded ones depend on its proportions.
    is_squashed = runs[0].settings.get("input.resize") == "squash"
    if not is_squashed and len({run.image_size[0] / run.image_size[1] for run in runs}) > 1:
        return "the inputs have other proportions, so the same patch is another part of the photo"
    return None


def _kept(run: ComparedRun) -> FloatArray:
    """The part of the scaled photo's target size that the input keeps, (rows, columns)."""
    size = np.array(run.image_size, np.float64)
    scaled = run.settings.get("input.resize_size")
    return size / np.array(size if scaled is None else scaled, np.float64)


def _positions(run: ComparedRun, row_ids: Sequence[str]) -> IntArray:
    places = {row_id: position for position, row_id in enumerate(run.row_ids)}
    return np.array([places[row_id] for row_id in row_ids], np.int64)


def _examples(row_ids: Sequence[str]) -> str:
    if not row_ids:
        return ""
    return f" ({', '.join(row_ids[:MAX_NAMED])}{', ...' if len(row_ids) > MAX_NAMED else ''})"
