"""What every evaluated verdict owes to harmful concepts, from what the stage of concepts stored."""

import numpy as np
import pandas as pd

from evalharness.concepts import measure_verdict_harm
from evalharness.evaluating.session import EvaluatedRows
from evalharness.evaluating.stages.concepts.finding import ConceptsFinding
from evalharness.evaluating.stages.concepts.regions import ERASURES
from evalharness.records import FloatArray


def measure_harm(rows: EvaluatedRows, found: ConceptsFinding | None) -> tuple[FloatArray | None, FloatArray | None]:
    """Share of the map on concepts that pull to the verdict, and what they add to its logit, (rows,) each.

    Returns:
        None twice where no concept is harmful, or concepts were looked for in some of the photos only.
    """
    harmful = [entry.concept for entry in found.harmful] if found is not None else []
    if not harmful or found is None or found.num_fit_photos + found.num_claim_photos < len(rows.samples):
        return None, None
    classes = rows.session.inputs.classes
    pulls = {
        concept.number: classes.index(concept.shortcut.class_name)
        for concept in harmful
        if concept.shortcut is not None
    }
    erased = pd.read_parquet(rows.writer.folder / f"{ERASURES}.parquet")
    # Both list the regions of a photo in the same order.
    regions = found.table.assign(region=found.table.groupby("row_id").cumcount())
    table = regions.merge(erased[["row_id", "region", "erased_logits"]], on=["row_id", "region"])
    shares, gains = np.zeros(len(rows.samples)), np.zeros(len(rows.samples))
    for row_id, own in table.groupby("row_id"):
        position = rows.positions[str(row_id)]
        harm = measure_verdict_harm(
            rows.logits[position],
            own["share"].tolist(),
            [number if assigned else None for number, assigned in zip(own["concept"], own["is_assigned"], strict=True)],
            np.array(own["erased_logits"].tolist(), np.float64),
            pulls,
        )
        shares[position], gains[position] = harm.share, harm.gain
    return shares, gains
