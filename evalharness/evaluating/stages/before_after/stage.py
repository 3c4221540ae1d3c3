"""Before and after fine-tuning: where the same backbone looked before, and how far its attention moved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness import model as models
from evalharness.attention import METHODS
from evalharness.audit import grid_coverage, measure_looks, stability
from evalharness.audit.intervals import mean_interval
from evalharness.audit.movement import total_variation
from evalharness.config import RunConfig
from evalharness.console import note, progress_bar, tell_cost
from evalharness.errors import ModelError, WeightsError
from evalharness.evaluating.inputs import Inputs
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.before_after.finding import (
    BeforeAfterFinding,
    Movement,
    ShareChange,
    tell_before_after,
)
from evalharness.inference import ForwardPass
from evalharness.records import FloatArray, Interval, MapSpec, UInt8Array, VisionTransformer, WeightsSource
from evalharness.weights_files import find_weights

VERSION = 1
"""Of the stored table's numbers."""
COLUMNS = ["row_id", "map_id", "spearman", "total_variation", "before", "after"]
SAME = Interval(1.0, 1.0, 1.0)
NOTHING = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class BeforeAfter(Stage[BeforeAfterFinding]):
    """Computes the maps of the same images before fine-tuning, and compares.

    Maps that depend on the class are compared only if the file of before has a head that fits the run's. Of a frozen
    backbone no map without a class is computed: it could not differ.
    """

    weights: WeightsSource | None
    """Of the backbone before fine-tuning; None: nothing is compared."""

    name: ClassVar[str] = "before_after"

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Finds the weights that `model.reference` names."""
        wanted = config.model.reference
        return cls(None if wanted is None else find_weights(config, wanted, key="model.reference"))

    @property
    def digests(self) -> Mapping[str, str | None]:
        """Of the weights."""
        return {"reference": self.weights.sha256 if self.weights else None}

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> BeforeAfterFinding | None:  # noqa: ARG002
        """Compares every row; None without weights of before. Writes `reference.parquet`.

        Raises:
            WeightsError: The weights are not of the same backbone.
        """
        weights, inputs = self.weights, rows.session.inputs
        if weights is None:
            return None
        is_frozen = (
            models.hash_backbone(weights, inputs.config.model.image_size)
            == rows.session.model_properties.backbone_sha256
        )
        key = {"version": VERSION, "fingerprint": inputs.fingerprint, "reference": weights.sha256}
        table = rows.stored_table("reference", key, lambda: _compare(rows, weights, is_frozen=is_frozen))
        by_map = {map_id: table[table["map_id"] == map_id] for map_id in dict.fromkeys(table["map_id"])}
        movements = [
            Movement(spec.map_id, len(rows.samples), SAME, NOTHING, is_by_construction=True)
            for spec in (class_agnostic(inputs.specs) if is_frozen else ())
        ]
        movements += [
            Movement(
                map_id,
                len(moved),
                mean_interval(moved["spearman"].to_numpy(np.float64), rows.groups, inputs.resampling),
                mean_interval(moved["total_variation"].to_numpy(np.float64), rows.groups, inputs.resampling),
            )
            for map_id, moved in by_map.items()
        ]
        changes = tuple(change for map_id, moved in by_map.items() for change in _changes(rows, map_id, moved))
        has_head = any(METHODS[spec.method].is_class_specific for spec in inputs.specs if spec.map_id in by_map)
        return BeforeAfterFinding(is_frozen, has_head, tuple(movements), changes, table)

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """What fine-tuning did to the attention."""
        return tell_before_after(plain)


def class_agnostic(specs: Sequence[MapSpec]) -> tuple[MapSpec, ...]:
    """The maps of a run that need no head, or rollout where it has none."""
    found = tuple(spec for spec in specs if METHODS[spec.method].needs == "attention")
    method = METHODS["rollout"]
    return found or (MapSpec("rollout", "rollout", "predicted", dict(method.default_options), method.version),)


def _compare(rows: EvaluatedRows, before_weights: WeightsSource, *, is_frozen: bool) -> pd.DataFrame:
    session, inputs, samples = rows.session, rows.session.inputs, rows.samples
    model, has_head = _load(inputs, before_weights)
    specs = [] if is_frozen else list(class_agnostic(inputs.specs))
    if has_head:
        specs += [spec for spec in inputs.specs if METHODS[spec.method].needs in ("gradients", "block_gradients")]
    if not specs:
        return pd.DataFrame(columns=COLUMNS)
    before = ForwardPass(model, specs)
    stored = rows.maps
    unknown = [spec for spec in specs if spec.map_id not in stored]
    after = ForwardPass(session.model, unknown) if unknown else None
    size = inputs.config.batch_size
    blank: UInt8Array = np.zeros((size, *model.image_size, 3), np.uint8)
    tell_cost(
        f"looking at {len(samples)} images with the backbone before fine-tuning",
        num_passes=len(samples) * (2 if after else 1),
        run_once=lambda: before(blank, np.zeros(size, np.int32), [""] * size),
        passes_per_run=size,
    )
    moved: list[dict[str, Any]] = []
    with progress_bar("Looking before", len(samples)) as advance:
        for start in range(0, len(samples), size):
            part = list(range(start, min(start + size, len(samples))))
            row_ids = [rows.row_ids[position] for position in part]
            labels = rows.labels[part].astype(np.int32)
            images = session.photos.load_inputs(row_ids)
            earlier = before(images, labels, row_ids).densities
            later = {map_id: np.asarray(maps[part], np.float32) for map_id, maps in stored.items()}
            later |= after(images, labels, row_ids).densities if after else {}
            for spec in specs:
                moved += _rows(row_ids, spec.map_id, earlier[spec.map_id], later[spec.map_id])
            advance(len(part))
    return pd.DataFrame(moved, columns=COLUMNS)


def _load(inputs: Inputs, source: WeightsSource) -> tuple[VisionTransformer, bool]:
    """The model before fine-tuning, and whether it has a head of its own that fits the run's."""
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


def _changes(rows: EvaluatedRows, map_id: str, moved: pd.DataFrame) -> Iterator[ShareChange]:
    """Of each annotated category, over the images that hold it."""
    session, inputs = rows.session, rows.session.inputs
    if inputs.annotations is None:
        return
    grid_size = session.model_properties.grid_size
    held: dict[str, list[tuple[int, FloatArray, FloatArray]]] = {}
    for position, row_id in enumerate(rows.row_ids):
        regions = session.regions_on_input(row_id)
        left_out = grid_coverage(regions.left_out, grid_size) if regions else np.zeros(grid_size)
        for category, coverage in regions.coverage.items() if regions else ():
            held.setdefault(category, []).append((position, grid_coverage(coverage, grid_size), left_out))
    maps = {name: np.array(moved[name].tolist(), np.float32).reshape(-1, *grid_size) for name in ("before", "after")}
    for category, found in sorted(held.items()):
        positions = [position for position, _, _ in found]
        coverage, left_outs = (np.stack([entry[place] for entry in found]) for place in (1, 2))
        shares = {name: measure_looks(values[positions], coverage, left_outs).share for name, values in maps.items()}
        groups = [rows.groups[position] for position in positions]
        yield ShareChange(
            map_id=map_id,
            category=category,
            role=inputs.annotations.roles[category],
            num_images=len(positions),
            before=mean_interval(shares["before"], groups, inputs.resampling),
            after=mean_interval(shares["after"], groups, inputs.resampling),
            change=mean_interval(shares["after"] - shares["before"], groups, inputs.resampling),
        )
