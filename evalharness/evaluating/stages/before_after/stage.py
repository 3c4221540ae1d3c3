"""Before and after fine-tuning: where the same backbone looked before, and how far its attention moved."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalharness import model as models
from evalharness import results
from evalharness.attention import METHODS
from evalharness.audit import grid_coverage, measure_looks, stability
from evalharness.audit.intervals import mean_interval
from evalharness.audit.movement import total_variation
from evalharness.console import note, progress_bar, tell_cost
from evalharness.errors import ModelError, WeightsError
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.inference import ForwardPass
from evalharness.records import FloatArray, Interval, MapSpec, Sample, UInt8Array, VisionTransformer, WeightsSource
from evalharness.slugs import slug

VERSION = 1
"""Of the stored table's numbers."""
COLUMNS = ["row_id", "map_id", "spearman", "total_variation", "before", "after"]
SAME = Interval(1.0, 1.0, 1.0)
NOTHING = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Movement:
    """How far one map moved."""

    map_id: str
    num_images: int
    spearman: Interval
    """Mean rank correlation of the patches, before with after."""
    total_variation: Interval
    """Mean part of the attention that lies elsewhere now, 0 to 1."""
    is_by_construction: bool = False
    """The backbone is the reference's, so that a map without a class cannot have moved."""


@dataclass(frozen=True)
class ShareChange:
    """The share of one map on one annotated category, before and after."""

    map_id: str
    category: str
    role: str
    num_images: int
    before: Interval
    after: Interval
    change: Interval
    """Mean of after - before, paired by image."""

    @property
    def sentence(self) -> str:
        """Which way the share went, in plain words."""
        ends = f"{self.before.value:.3f} before, {self.after.value:.3f} after; {self.change.value:+.3f}"
        if math.isnan(self.change.ci_low):
            return f"The share of {self.map_id} on {self.category}: {ends}; too few images for an interval."
        ends += f", {self.change.ci_low:+.3f} to {self.change.ci_high:+.3f}"
        if self.change.ci_high < 0:
            return f"The share of {self.map_id} on {self.category} fell ({ends})."
        if self.change.ci_low > 0:
            return f"The share of {self.map_id} on {self.category} rose ({ends})."
        return f"The share of {self.map_id} on {self.category} did not clearly change ({ends})."


def _range(interval: Interval) -> str:
    return "" if math.isnan(interval.ci_low) else f"{interval.ci_low:.0%} to {interval.ci_high:.0%}; "


@dataclass(frozen=True)
class BeforeAfter:
    """What fine-tuning did to the attention."""

    is_frozen: bool
    """The backbone's weights are the reference's."""
    has_head: bool
    """The reference has a head like the run's, so that class-specific maps are compared too."""
    movements: tuple[Movement, ...]
    changes: tuple[ShareChange, ...]
    """Of every map and annotated category."""
    table: pd.DataFrame
    """A row per image and map: `reference.parquet`; empty where nothing could move."""

    @property
    def sentence(self) -> str:
        """What happened, in plain words."""
        parts = []
        if self.is_frozen:
            parts.append(
                "The backbone was frozen: its weights are the reference's, so maps that do not depend on the class are "
                "the same by construction, and nothing was computed for them."
            )
        parts += [
            f"Fine-tuning moved {entry.total_variation.value:.0%} of {entry.map_id} elsewhere "
            f"({_range(entry.total_variation)}rank correlation {entry.spearman.value:.2f})."
            for entry in self.movements
            if not entry.is_by_construction
        ]
        return " ".join([*parts, *(entry.sentence for entry in self.changes if entry.role == "distractor")])

    @property
    def measures(self) -> dict[str, float]:
        """What runs are compared by, by MLflow name: of the first map that was compared."""
        if not self.movements:
            return {}
        first = self.movements[0]
        found = {f"reference/{first.map_id}/total_variation": first.total_variation.value}
        return found | {
            f"reference/{slug(entry.category)}/share_change": entry.change.value
            for entry in self.changes
            if entry.map_id == first.map_id and entry.role == "distractor"
        }

    @property
    def plain(self) -> dict[str, Any]:
        """As the manifest keeps it."""
        return {
            "is_frozen": self.is_frozen,
            "has_head": self.has_head,
            "sentence": self.sentence,
            "movements": [asdict(entry) for entry in self.movements],
            "changes": [asdict(entry) for entry in self.changes],
        }


def look_before(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, stages: results.Stages
) -> BeforeAfter | None:
    """Computes the reference's maps of the same images, and compares; None without a reference.

    Maps that depend on the class are compared only if the reference's file has a head that fits the run's. Of a frozen
    backbone no map without a class is computed: it could not differ.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        writer: Their maps.
        stages: Where the table is kept.

    Raises:
        WeightsError: The reference is not of the same backbone.
    """
    source = inputs.extras.reference
    if source is None:
        return None
    is_frozen = models.hash_backbone(source) == inputs.facts["backbone_sha256"]
    key = {"version": VERSION, "fingerprint": inputs.fingerprint, "reference": source.sha256}
    table = stages.read("reference", key)
    if table is None:
        with timed("reference", inputs.durations_s):
            table = _compare(inputs, samples, writer, source, is_frozen=is_frozen)
        stages.write("reference", key, table)
    compared = list(dict.fromkeys(table["map_id"]))
    by_map = {map_id: table[table["map_id"] == map_id] for map_id in compared}
    groups = [sample.group for sample in samples]
    movements = [
        Movement(spec.map_id, len(samples), SAME, NOTHING, is_by_construction=True)
        for spec in (class_agnostic(inputs.specs) if is_frozen else ())
    ]
    movements += [
        Movement(
            map_id,
            len(rows),
            mean_interval(rows["spearman"].to_numpy(np.float64), groups, inputs.resampling),
            mean_interval(rows["total_variation"].to_numpy(np.float64), groups, inputs.resampling),
        )
        for map_id, rows in by_map.items()
    ]
    changes = tuple(change for map_id, rows in by_map.items() for change in _changes(inputs, samples, map_id, rows))
    has_head = any(METHODS[spec.method].is_class_specific for spec in inputs.specs if spec.map_id in by_map)
    return BeforeAfter(is_frozen, has_head, tuple(movements), changes, table)


def class_agnostic(specs: Sequence[MapSpec]) -> tuple[MapSpec, ...]:
    """The maps of a run that need no head, or rollout where it has none."""
    found = tuple(spec for spec in specs if METHODS[spec.method].needs == "attention")
    method = METHODS["rollout"]
    return found or (MapSpec("rollout", "rollout", "predicted", dict(method.default_options), method.version),)


def _compare(
    inputs: Inputs, samples: Sequence[Sample], writer: results.ResultsWriter, source: WeightsSource, *, is_frozen: bool
) -> pd.DataFrame:
    model, has_head = _load(inputs, source)
    specs = [] if is_frozen else list(class_agnostic(inputs.specs))
    if has_head:
        specs += [spec for spec in inputs.specs if METHODS[spec.method].needs in ("gradients", "block_gradients")]
    if not specs:
        return pd.DataFrame(columns=COLUMNS)
    before = ForwardPass(model, specs)
    stored = writer.maps()
    unknown = [spec for spec in specs if spec.map_id not in stored]
    after = ForwardPass(inputs.model, unknown) if unknown else None
    size = inputs.config.batch_size
    blank: UInt8Array = np.zeros((size, *model.image_size, 3), np.uint8)
    tell_cost(
        f"looking at {len(samples)} images with the reference",
        num_passes=len(samples) * (2 if after else 1),
        run_once=lambda: before(blank, np.zeros(size, np.int32), [""] * size),
        passes_per_run=size,
    )
    rows: list[dict[str, Any]] = []
    with progress_bar("Looking before", len(samples)) as advance:
        for start in range(0, len(samples), size):
            part = list(range(start, min(start + size, len(samples))))
            row_ids = [samples[position].row_id for position in part]
            labels = np.array([inputs.classes.index(samples[position].label) for position in part], np.int32)
            images = inputs.load_images(row_ids)
            earlier = before(images, labels, row_ids).densities
            later = {map_id: np.asarray(maps[part], np.float32) for map_id, maps in stored.items()}
            later |= after(images, labels, row_ids).densities if after else {}
            for spec in specs:
                rows += _rows(row_ids, spec.map_id, earlier[spec.map_id], later[spec.map_id])
            advance(len(part))
    return pd.DataFrame(rows, columns=COLUMNS)


def _load(inputs: Inputs, source: WeightsSource) -> tuple[VisionTransformer, bool]:
    """The reference, and whether it has a head of its own that fits the run's."""
    config = inputs.config.model
    try:
        return models.load_model(config, classes=inputs.classes, source=source), True
    except (WeightsError, ModelError):
        model = models.load_model(config, classes=inputs.classes, source=source, is_backbone_only=True)
    note("the reference has no head like the run's: maps without a class are compared")
    return model, False


def _rows(row_ids: Sequence[str], map_id: str, before: FloatArray, after: FloatArray) -> Iterator[dict[str, Any]]:
    correlations, distances = stability(before, after), total_variation(before, after)
    for index, row_id in enumerate(row_ids):
        yield {
            "row_id": row_id,
            "map_id": map_id,
            "spearman": float(correlations[index]),
            "total_variation": float(distances[index]),
            "before": np.asarray(before[index], np.float32).ravel().tolist(),
            "after": np.asarray(after[index], np.float32).ravel().tolist(),
        }


def _changes(inputs: Inputs, samples: Sequence[Sample], map_id: str, rows: pd.DataFrame) -> Iterator[ShareChange]:
    """Of each annotated category, over the images that hold it."""
    if inputs.annotations is None:
        return
    grid_size = (int(inputs.facts["grid_size"][0]), int(inputs.facts["grid_size"][1]))
    held: dict[str, list[tuple[int, FloatArray, FloatArray]]] = {}
    for position, sample in enumerate(samples):
        regions = inputs.regions_on_input(sample) if inputs.regions(sample) else None
        for category, coverage in regions.coverage.items() if regions else ():
            ignored = grid_coverage(regions.ignored, grid_size) if regions else np.zeros(grid_size)
            held.setdefault(category, []).append((position, grid_coverage(coverage, grid_size), ignored))
    maps = {name: np.array(rows[name].tolist(), np.float32).reshape(-1, *grid_size) for name in ("before", "after")}
    for category, found in sorted(held.items()):
        positions = [position for position, _, _ in found]
        coverage, ignored = (np.stack([entry[place] for entry in found]) for place in (1, 2))
        shares = {name: measure_looks(values[positions], coverage, ignored).share for name, values in maps.items()}
        groups = [samples[position].group for position in positions]
        yield ShareChange(
            map_id=map_id,
            category=category,
            role=inputs.required_annotations.roles[category],
            num_images=len(positions),
            before=mean_interval(shares["before"], groups, inputs.resampling),
            after=mean_interval(shares["after"], groups, inputs.resampling),
            change=mean_interval(shares["after"] - shares["before"], groups, inputs.resampling),
        )
