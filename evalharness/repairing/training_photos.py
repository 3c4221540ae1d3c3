"""The training photos: each as it is and with a cut-out, the categories taking turns within each class."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evalharness import dataset as datasets
from evalharness.config import DatasetConfig, RepairConfig
from evalharness.dataset.cutouts import Cutouts
from evalharness.dataset.pasting import paste_into
from evalharness.dataset.table import read_table
from evalharness.errors import ConfigError, DatasetError
from evalharness.records import Dataset, IntArray, Sample, UInt8Array
from evalharness.repairing.cutouts import in_random_order
from evalharness.repairing.evaluation import Evaluation
from evalharness.repairing.features import Shot, pasted_shot, photo_shot
from evalharness.repairing.refit import NUM_FOLDS
from evalharness.report import select_samples

MIN_PER_CLASS = 20
"""Photos: a fifth of them is held out in each fold."""
MIN_GROUPS = 2 * NUM_FOLDS
"""Of each class, where `dataset.group` puts photos together: a fold holds whole groups."""
MAX_NAMED = 3


@dataclass(frozen=True)
class TrainingPhotos:
    """What the layer is fitted on."""

    photos: datasets.Photos
    samples: tuple[Sample, ...]
    categories: tuple[str, ...]
    """What is pasted into each."""
    cutouts: Cutouts
    classes: tuple[str, ...]

    @cached_property
    def labels(self) -> IntArray:
        """Class indices, (photos,)."""
        return np.array([self.classes.index(sample.label) for sample in self.samples])

    @cached_property
    def groups(self) -> list[str]:
        """Of each photo and of its copy."""
        return [sample.group for sample in self.samples]


def gather_training_photos(config: RepairConfig, evaluation: Evaluation, cutouts: Cutouts) -> TrainingPhotos:
    """Reads `repair.csv` in the columns of the evaluation, and checks it.

    Raises:
        EvalHarnessError: The CSV or its photos cannot be used, are evaluated, or are too few.
    """
    own = training_section(config, evaluation)
    dataset = datasets.load_dataset(
        own,
        model_classes=evaluation.classes,
        runs_dir=evaluation.config.runs_dir,
        limit=None,
        seed=evaluation.config.seed,
        num_workers=evaluation.config.num_workers,
    )
    refuse_evaluated(dataset, evaluation)
    wanted = set(select_samples(dataset.samples, config.num_photos or len(dataset.samples), evaluation.config.seed))
    samples = tuple(sample for sample in dataset.samples if sample.row_id in wanted)
    refuse_too_few(samples, evaluation.classes, config)
    return TrainingPhotos(
        photos=datasets.Photos(dataset, own, evaluation.config.model.image_size),
        samples=samples,
        categories=take_turns(samples, tuple(cutouts.by_category), evaluation.config.seed),
        cutouts=cutouts,
        classes=evaluation.classes,
    )


def training_section(config: RepairConfig, evaluation: Evaluation) -> DatasetConfig:
    """The `dataset` section of the evaluation for another CSV; columns that it lacks are left open.

    Raises:
        EvalHarnessError: No CSV is named, or it cannot be read.
    """
    if config.csv is None:
        raise ConfigError(
            "training photos are missing", expected="a CSV of photos that the run was not evaluated on", got="none",
            where="repair.csv", fix="Set repair.csv=PATH",
        )  # fmt: skip
    section, columns = evaluation.run.config.dataset, set(read_table(config.csv).columns)
    has_paths = section.path_columns is not None and set(section.path_columns) <= columns
    is_labelled = section.label_column in columns
    return section.model_copy(
        update={
            "csv": config.csv,
            "name": None,
            "root": config.root or section.root,
            "path_columns": section.path_columns if has_paths else None,
            "label_column": section.label_column if is_labelled else None,
            "label_match": section.label_match if is_labelled else None,
            "id_column": None,
            "group": section.group if section.group in columns else None,
            "clean_column": None,
            "annotations": None,
            "classes": evaluation.classes,
        }
    )


def refuse_evaluated(training: Dataset, evaluation: Evaluation) -> None:
    """Refuses photos that the run was evaluated on: nothing could be proved on them.

    Raises:
        DatasetError: There are some, told by the SHA-256 of their files.
    """
    evaluated = {image.sha256: row_id for row_id, image in evaluation.dataset.images.items()}
    both = [row_id for row_id, image in training.images.items() if image.sha256 in evaluated]
    if both:
        more = f" and {len(both) - MAX_NAMED} more" if len(both) > MAX_NAMED else ""
        raise DatasetError(
            "training photos are among the evaluated ones",
            expected="photos that the run was not evaluated on",
            got=f"{len(both)} of {len(training.samples)} with the SHA-256 of one ({', '.join(both[:MAX_NAMED])}{more})",
            where=training.csv,
            fix="Take them out of the CSV, or evaluate without them and repair that run",
        )


def refuse_too_few(samples: Sequence[Sample], classes: Sequence[str], config: RepairConfig) -> None:
    """Refuses a class without photos, or with fewer photos or groups than cross-validation needs.

    Raises:
        DatasetError: There is one.
    """
    counts = Counter(sample.label for sample in samples)
    missing = [name for name in classes if not counts[name]]
    if missing:
        raise DatasetError(
            "classes are missing among the training photos",
            expected=f"all of {', '.join(classes)}",
            got=f"none of {', '.join(missing)}",
            where=config.csv,
            fix="Add photos of every class, or raise repair.num_photos",
        )
    few = [f"{counts[name]} of {name}" for name in classes if counts[name] < MIN_PER_CLASS]
    if few:
        raise DatasetError(
            "too few training photos",
            expected=f"at least {MIN_PER_CLASS} of each class",
            got=", ".join(few),
            where=config.csv,
            fix="Add photos, or raise repair.num_photos",
        )
    groups = Counter(label for label, _ in {(sample.label, sample.group) for sample in samples})
    few = [f"{groups[name]} of {name}" for name in classes if groups[name] < MIN_GROUPS]
    if few:
        raise DatasetError(
            "too few groups of training photos",
            expected=f"at least {MIN_GROUPS} of each class",
            got=", ".join(few),
            where=config.csv,
            fix="Add photos of other groups",
        )


def take_turns(samples: Sequence[Sample], categories: Sequence[str], seed: int) -> tuple[str, ...]:
    """What is pasted into each photo: within each class every category equally often, give or take one."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for sample in samples:
        by_label[sample.label].append(sample.row_id)
    chosen = {
        row_id: categories[(place + turn) % len(categories)]
        for turn, label in enumerate(sorted(by_label))
        for place, row_id in enumerate(in_random_order(by_label[label], seed))
    }
    return tuple(chosen[sample.row_id] for sample in samples)


def training_shots(training: TrainingPhotos, scale: tuple[float, float]) -> tuple[Shot, ...]:
    """Every photo as it is, then every photo with its cut-out, both in the order of the samples.

    Args:
        training: The photos.
        scale: Of the cut-outs.
    """
    photos, samples = training.photos, training.samples
    return (
        *(photo_shot(photos, sample.row_id) for sample in samples),
        *(
            pasted_shot(photos, sample.row_id, category, training.cutouts, scale)
            for sample, category in zip(samples, training.categories, strict=True)
        ),
    )


def load_pasted(training: TrainingPhotos, row_id: str, category: str, scale: tuple[float, float]) -> UInt8Array:
    """A photo with its cut-out, RGB (height, width, 3)."""
    return paste_into(training.photos, row_id, category, training.cutouts, scale).image
