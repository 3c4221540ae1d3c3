"""Which maps can be believed: measured on a subset of the images, off by default."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from rich.table import Table
from rich.text import Text

from evalharness import model as models
from evalharness.attention import METHODS
from evalharness.attention.faithfulness_verdict import MEASURES, RIVALS, judge_maps
from evalharness.audit import Placement, find_photo
from evalharness.audit.geometry import bounding_box
from evalharness.config import GateConfig, RunConfig
from evalharness.console import note
from evalharness.errors import ConfigError
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stage import Findings, Stage
from evalharness.evaluating.stages.faithfulness.finding import FaithfulnessFinding, tell_faithfulness
from evalharness.inference import ForwardPass, Subset, measure_faithfulness
from evalharness.inference.faithfulness import FIXED_TARGET
from evalharness.records import MapSpec

IMAGES_AT_ONCE = 8
VERSION = 3
"""Of the stored table's numbers."""


class Faithfulness(Stage[FaithfulnessFinding]):
    """Measures every map of the verdict, unless that is off or stored already, and judges them."""

    name: ClassVar[str] = "trust"
    section: ClassVar[str | None] = "faithfulness"
    nothing: ClassVar[Any] = []

    @classmethod
    def prepare(cls, config: RunConfig) -> Self:
        """Refuses the gate where nothing measures the first map."""
        if not config.gate.attention:
            return cls()
        if not config.faithfulness.num_images:
            raise ConfigError(
                "gate.attention reads the faithfulness of maps, which is off",
                expected="a number of images",
                got=0,
                where="faithfulness.num_images",
                fix="Set faithfulness.num_images=32, or leave the gate out",
            )
        first = next(iter(config.attention.methods), None)
        target = first and (first.target or config.attention.target)
        if target != "predicted":
            raise ConfigError(
                "gate.attention reads the first map, and faithfulness is measured for maps of the predicted class",
                expected="target predicted",
                got=target or "no map",
                where="attention.methods",
                fix="Name a map of the predicted class first, or leave the gate out",
            )
        return cls()

    def examine(self, rows: EvaluatedRows, earlier: Findings) -> FaithfulnessFinding | None:  # noqa: ARG002
        """Measures and judges the maps; None where that is off. Writes `faithfulness.parquet`."""
        inputs = rows.session.inputs
        config = inputs.config.faithfulness
        if not config.num_images:
            return None
        specs = _measured_specs(inputs.specs)
        key = {
            "version": VERSION,
            "fingerprint": inputs.fingerprint,
            "settings": config.model_dump(exclude={"max_head_similarity"}),
            "maps": [spec.map_id for spec in specs],
        }
        table = rows.stored_table("faithfulness", key, lambda: _measure(rows, specs))
        values = {
            str(map_id): {name: measured[name].to_numpy(np.float64) for name in MEASURES}
            for map_id, measured in table.groupby("map_id", sort=False)
        }
        judged = judge_maps(
            values,
            [spec.map_id for spec in specs],
            groups=[rows.groups[rows.positions[row_id]] for row_id in table["row_id"].drop_duplicates()],
            max_head_similarity=config.max_head_similarity,
            num_resamples=inputs.config.bootstrap.num_resamples,
            confidence=inputs.config.bootstrap.confidence,
            seed=inputs.config.seed,
        )
        return FaithfulnessFinding(judged, config.max_head_similarity)

    def broken_gates(self, config: GateConfig, found: FaithfulnessFinding | None) -> Sequence[str]:
        """`attention`: the first map can be trusted."""
        if not config.attention or found is None or found.main.is_trusted:
            return ()
        return (f"gate.attention: {found.main.map_id}: {found.main.verdict}",)

    @staticmethod
    def tell(plain: Any) -> Iterator[Table | Text]:
        """The measures of every map, and a verdict on each."""
        return tell_faithfulness(plain)


def _measured_specs(specs: Sequence[MapSpec]) -> list[MapSpec]:
    """The maps that explain the verdict, with their class held fixed, and the rivals."""
    others = [spec.map_id for spec in specs if spec.target != "predicted"]
    if others:
        note(f"faithfulness is measured for maps of the predicted class; left out: {', '.join(others)}")
    chosen = [spec for spec in specs if spec.target == "predicted"]
    missing = [name for name in RIVALS if name not in {spec.map_id for spec in chosen}]
    chosen += [MapSpec(name, name, "predicted", {}, METHODS[name].version) for name in missing]
    return [MapSpec(spec.map_id, spec.method, FIXED_TARGET, spec.options, spec.version) for spec in chosen]


def _window(placement: Placement) -> tuple[slice, slice]:
    top, bottom, left, right = bounding_box(find_photo(placement))
    return slice(top, bottom), slice(left, right)


def _measure(rows: EvaluatedRows, specs: Sequence[MapSpec]) -> pd.DataFrame:
    session, config = rows.session, rows.session.inputs.config.faithfulness
    row_ids = rows.choose(config.num_images)
    batches = [
        Subset(session.photos.load_inputs(part), part, [_window(session.photos.placement(row_id)) for row_id in part])
        for part in (row_ids[start : start + IMAGES_AT_ONCE] for start in range(0, len(row_ids), IMAGES_AT_ONCE))
    ]
    measured = measure_faithfulness(
        ForwardPass(session.model, specs),
        batches,
        num_steps=config.num_steps,
        num_random_heads=config.num_random_heads,
        randomised_head=partial(models.randomised_head, session.model),
    )
    return pd.DataFrame(
        [
            {
                "row_id": row.row_id,
                "map_id": row.map_id,
                **row.measures,
                **{f"curve_{name}": curve.tolist() for name, curve in row.curves.items()},
            }
            for row in measured
        ]
    )
