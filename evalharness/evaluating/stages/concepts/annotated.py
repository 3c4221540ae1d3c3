"""What discovered regions lie on, where somebody has annotated regions as well: the one is laid beside the other."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from evalharness.audit import grid_coverage
from evalharness.evaluating.session import Session
from evalharness.evaluating.stages.concepts.regions import patches_of

NOTHING = "nothing annotated"
LEAST_COVERED = 0.1
"""Part of a region that annotations must cover to say what it lies on."""


def lies_on(session: Session, regions: pd.DataFrame) -> dict[str, float]:
    """Part of some regions by the annotated category that covers most of each, the largest part first.

    Args:
        session: The evaluation.
        regions: `row_id` and `patches`.

    Returns:
        Empty without annotations or without regions.
    """
    if session.inputs.annotations is None or regions.empty:
        return {}
    counts = Counter(_most_covering(session, row) for row in regions.to_dict("records"))
    return {name: count / len(regions) for name, count in counts.most_common()}


def _most_covering(session: Session, row: Any) -> str:
    found, grid_size = session.regions_on_input(str(row["row_id"])), session.model_properties.grid_size
    patches = patches_of(row, grid_size)
    covered = {
        category: float(np.mean(grid_coverage(coverage, grid_size)[patches]))
        for category, coverage in (found.coverage if found else {}).items()
    }
    best = max(covered, key=lambda category: covered[category], default=None)
    return NOTHING if best is None or covered[best] < LEAST_COVERED else best
