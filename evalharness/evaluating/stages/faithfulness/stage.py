"""Which maps can be believed: measured on a subset of the images, off by default."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from evalharness import model as models
from evalharness import results
from evalharness.attention import METHODS
from evalharness.attention.faithfulness_verdict import MEASURES, RIVALS, MapTrust, judge_maps
from evalharness.console import note
from evalharness.evaluating.inputs import Inputs, timed
from evalharness.inference import ForwardPass, Subset, measure_faithfulness
from evalharness.inference.faithfulness import FIXED_TARGET
from evalharness.records import MapSpec, Sample
from evalharness.report import select_logged

IMAGES_AT_ONCE = 8
VERSION = 2
"""Of the stored table's numbers."""


def examine_maps(inputs: Inputs, samples: Sequence[Sample], stages: results.Stages) -> tuple[MapTrust, ...]:
    """Measures every map of the verdict, unless that is off or stored already, and judges them.

    Args:
        inputs: The evaluation.
        samples: The evaluated rows.
        stages: Where the measurements are kept.
    """
    config = inputs.config.faithfulness
    if not config.num_images:
        return ()
    specs = _measured_specs(inputs.specs)
    settings = config.model_dump(exclude={"max_head_similarity"})
    key = {
        "version": VERSION,
        "fingerprint": inputs.fingerprint,
        "settings": settings,
        "maps": [spec.map_id for spec in specs],
    }
    table = stages.read("faithfulness", key)
    if table is None:
        with timed("faithfulness", inputs.durations_s):
            table = _measure(inputs, samples, specs)
        stages.write("faithfulness", key, table)
    values = {
        str(map_id): {name: rows[name].to_numpy(np.float64) for name in MEASURES}
        for map_id, rows in table.groupby("map_id", sort=False)
    }
    group_of = {sample.row_id: sample.group for sample in samples}
    return judge_maps(
        values,
        [spec.map_id for spec in specs],
        groups=[group_of[row_id] for row_id in table["row_id"].drop_duplicates()],
        max_head_similarity=config.max_head_similarity,
        num_resamples=inputs.config.bootstrap.num_resamples,
        confidence=inputs.config.bootstrap.confidence,
        seed=inputs.config.seed,
    )


def _measured_specs(specs: Sequence[MapSpec]) -> list[MapSpec]:
    """The maps that explain the verdict, with their class held fixed, and the rivals."""
    others = [spec.map_id for spec in specs if spec.target != "predicted"]
    if others:
        note(f"faithfulness is measured for maps of the predicted class; left out: {', '.join(others)}")
    chosen = [spec for spec in specs if spec.target == "predicted"]
    missing = [name for name in RIVALS if name not in {spec.map_id for spec in chosen}]
    chosen += [MapSpec(name, name, "predicted", {}, METHODS[name].version) for name in missing]
    return [MapSpec(spec.map_id, spec.method, FIXED_TARGET, spec.options, spec.version) for spec in chosen]


def _measure(inputs: Inputs, samples: Sequence[Sample], specs: Sequence[MapSpec]) -> pd.DataFrame:
    config = inputs.config.faithfulness
    table = pd.DataFrame({"row_id": [s.row_id for s in samples], "label": [s.label for s in samples]})
    row_ids = select_logged(table, config.num_images, inputs.config.seed)
    batches = [
        Subset(inputs.load_images(part), part)
        for part in (row_ids[start : start + IMAGES_AT_ONCE] for start in range(0, len(row_ids), IMAGES_AT_ONCE))
    ]
    rows = measure_faithfulness(
        ForwardPass(inputs.model, specs),
        batches,
        num_steps=config.num_steps,
        num_random_heads=config.num_random_heads,
        randomised_head=partial(models.randomised_head, inputs.model),
    )
    return pd.DataFrame(
        [
            {
                "row_id": row.row_id,
                "map_id": row.map_id,
                **row.measures,
                **{f"curve_{name}": curve.tolist() for name, curve in row.curves.items()},
            }
            for row in rows
        ]
    )
