"""What an evaluation starts from: gathered and checked before a model is built."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from evalharness import dataset as datasets
from evalharness import model as models
from evalharness import results, tracking
from evalharness.annotations import Annotations, Region, load_annotations
from evalharness.attention import map_specs
from evalharness.audit import ImageRegions, Resampling, place_regions
from evalharness.config.schema import RunConfig
from evalharness.console import note
from evalharness.errors import ConfigError, DatasetError
from evalharness.evaluating.other_inputs import Extras, gather_extras
from evalharness.inference import ForwardPass
from evalharness.records import Dataset, IntArray, MapSpec, Sample, UInt8Array, VisionTransformer, WeightsSource
from evalharness.report import Extent

MAX_DRAWN_SIDE = 512
FIRST_TURNED_ORIENTATION = 5
"""EXIF orientations from here on swap width and height."""


@dataclass(frozen=True)
class Inputs:
    """Config, rows and weights, checked; the model is loaded when it is first needed."""

    config: RunConfig
    dataset: Dataset
    source: WeightsSource
    classes: tuple[str, ...]
    specs: tuple[MapSpec, ...]
    recipe: Mapping[str, Any]
    annotations: Annotations | None = None
    durations_s: dict[str, float] = field(default_factory=dict)
    extras: Extras = field(default_factory=Extras)

    @cached_property
    def model(self) -> VisionTransformer:
        """The loaded model."""
        with timed("load_model", self.durations_s):
            return models.load_model(self.config.model, classes=self.classes, source=self.source)

    @cached_property
    def forward(self) -> ForwardPass:
        """The model compiled with the maps of the config."""
        return ForwardPass(self.model, self.specs)

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """The model's sizes and digests: from the results folder if they are there, so that no model is needed."""
        stored = results.read_facts(self.folder, self.fingerprint)
        return stored if stored is not None else results.model_facts(self.model)

    @cached_property
    def fingerprint(self) -> str:
        """Of the recipe."""
        return results.fingerprint(self.recipe)

    @cached_property
    def request(self) -> str:
        """Of what is examined and drawn."""
        annotations = self.annotations.digest if self.annotations else None
        return results.request_of(self.config, {"annotations": annotations, **self.extras.digests})

    @cached_property
    def labels(self) -> IntArray:
        """Class index of every sample, in the order of the model's outputs."""
        return np.array([self.classes.index(sample.label) for sample in self.dataset.samples], np.int32)

    @property
    def required_annotations(self) -> Annotations:
        """The annotations, where a step has made sure that there are some."""
        if self.annotations is None:
            raise ValueError("there are no annotations")
        return self.annotations

    def regions(self, sample: Sample) -> tuple[Region, ...]:
        """The annotated regions of a row; none without annotations."""
        return self.annotations.regions.get(sample.row_id, ()) if self.annotations else ()

    def regions_on_input(self, sample: Sample) -> ImageRegions | None:
        """A row's regions on the model's input: through the EXIF rotation and the resizing of its image."""
        masks = self.required_annotations.masks(sample.row_id)
        if not masks:
            return None
        is_applied = self.config.dataset.exif == "apply"
        orientation = self.dataset.images[sample.row_id].exif_orientation if is_applied else 1
        placement = self.placement(sample.row_id)
        return place_regions(masks, self.required_annotations.roles, placement, orientation=orientation)

    @property
    def resampling(self) -> Resampling:
        """How intervals over images are drawn."""
        bootstrap = self.config.bootstrap
        return Resampling(bootstrap.num_resamples, bootstrap.confidence, self.config.seed)

    @property
    def run_name(self) -> str:
        """Shown in MLflow."""
        return self.config.tracking.run_name or f"{self.source.path.name.split('.')[0]} on {self.dataset.name}"

    @property
    def folder(self) -> Path:
        """Where the results go."""
        default = results.default_folder(self.config.runs_dir, self.run_name, self.fingerprint)
        return self.config.output_dir or default

    def load_images(self, row_ids: Sequence[str]) -> UInt8Array:
        """Images as the model sees them, RGB (n, height, width, 3)."""
        return np.stack([self.load_image(row_id) for row_id in row_ids])

    def load_image(self, row_id: str) -> UInt8Array:
        """One image as the model sees it, RGB (height, width, 3)."""
        return datasets.load_image(
            self._paths[row_id], image_size=self.config.model.image_size, config=self.config.dataset
        )

    def load_photo(self, row_id: str) -> UInt8Array:
        """One photo for drawing, in its own proportions."""
        return datasets.load_photo(self._paths[row_id], config=self.config.dataset, max_side=MAX_DRAWN_SIDE)

    def placement(self, row_id: str) -> datasets.Placement:
        """Where a row's upright photo lands on the model's input."""
        info, config = self.dataset.images[row_id], self.config.dataset
        is_turned = config.exif == "apply" and info.exif_orientation >= FIRST_TURNED_ORIENTATION
        photo_size = (info.width, info.height) if is_turned else (info.height, info.width)
        return datasets.place(photo_size, self.config.model.image_size, config.resize)

    def photo_extent(self, row_id: str) -> Extent:
        """The part of the model's input that a row's photo spans."""
        return Extent(*self.placement(row_id).extent)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        return {sample.row_id: sample.path for sample in self.dataset.samples}


def gather_inputs(config: RunConfig) -> Inputs:
    """Reads and checks everything that can be wrong before a model is built.

    Raises:
        EvalHarnessError: The weights, the CSV, an image, an annotation or an attention setting cannot be used.
    """
    check_gates(config)
    durations_s: dict[str, float] = {}
    source = models.resolve_weights(
        config.model.weights,
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir),
        cache_dir=config.runs_dir / "cache" / "weights",
    )
    extras = gather_extras(config)
    with timed("scan", durations_s):
        dataset = datasets.load_dataset(
            config.dataset,
            model_classes=config.model.classes,
            runs_dir=config.runs_dir,
            limit=config.limit,
            seed=config.seed,
            num_workers=config.num_workers,
        )
    classes = config.model.classes or dataset.classes
    models.configure_tensorflow(config.seed)
    specs = map_specs(config.attention, classes)
    recipe = results.build_recipe(config, dataset, source, classes, specs)
    annotations = read_regions(config, dataset, classes)
    return Inputs(config, dataset, source, classes, specs, recipe, annotations, durations_s, extras)


def read_regions(config: RunConfig, dataset: Dataset, classes: Sequence[str]) -> Annotations | None:
    """The annotated regions that `dataset.annotations` names, and what a user should know of them.

    Raises:
        ConfigError: There is no map to audit them on.
        DatasetError: Annotations that cannot be read or do not fit; or none of them belongs to a row.
    """
    path = config.dataset.annotations
    if path is None:
        return None
    if not config.attention.methods:
        raise ConfigError(
            "annotated regions are audited on attention maps, and there are none",
            expected="at least one method",
            got="[]",
            where="attention.methods",
            fix="Name a method, such as attention.methods=[grad_attention], or set dataset.annotations=null",
        )
    found = load_annotations(
        path,
        samples=dataset.samples,
        images=dataset.images,
        classes=classes,
        roles=config.audit.roles,
        annotations_format=config.dataset.annotations_format,
    )
    for message in found.messages:
        note(f"annotations: {message}")
    if not found.regions:
        raise DatasetError(
            "no annotation belongs to a row of the CSV",
            expected="file names or paths as in the CSV",
            got=", ".join(found.unmatched_images[:3]) or "no annotated image",
            where=path,
        )
    return found


def check_gates(config: RunConfig) -> None:
    """A gate without the stage that it reads would always hold.

    Raises:
        ConfigError: A gate on faithfulness, stress or regions, and nothing that measures them.
    """
    if config.gate.attention and not config.faithfulness.num_images:
        raise ConfigError(
            "gate.attention reads the faithfulness of maps, which is off",
            expected="a number of images",
            got=0,
            where="faithfulness.num_images",
            fix="Set faithfulness.num_images=32, or leave the gate out",
        )
    first = next(iter(config.attention.methods), None)
    target = first and (first.target or config.attention.target)
    if config.gate.attention and target != "predicted":
        raise ConfigError(
            "gate.attention reads the first map, and faithfulness is measured for maps of the predicted class",
            expected="target predicted",
            got=target or "no map",
            where="attention.methods",
            fix="Name a map of the predicted class first, or leave the gate out",
        )
    if config.gate.max_stress_flip_rate is not None and not config.stress.num_images:
        raise ConfigError(
            "gate.max_stress_flip_rate reads the stress test, which is off",
            expected="a number of images",
            got=0,
            where="stress.num_images",
            fix="Set stress.num_images=40, or leave the gate out",
        )
    for name in ("max_distractor_lift", "max_relies_rate"):
        if getattr(config.gate, name) is not None and config.dataset.annotations is None:
            raise ConfigError(
                f"gate.{name} reads annotated regions, and there are none",
                expected="a path",
                got="null",
                where="dataset.annotations",
                fix="Set dataset.annotations=PATH, or leave the gate out",
            )


@contextmanager
def timed(stage: str, durations_s: dict[str, float]) -> Iterator[None]:
    """Notes the seconds spent inside as the stage's."""
    start = perf_counter()
    yield
    durations_s[stage] = perf_counter() - start
