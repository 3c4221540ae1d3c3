"""Outlines of the annotated regions, kept so that pages can draw them without the annotations."""

import pandas as pd

from evalharness.annotations import Annotations
from evalharness.audit.geometry import HALF
from evalharness.audit.outlines import trace_outlines
from evalharness.evaluating.session import EvaluatedRows

VERSION = 1
COLUMNS = ["row_id", "category", "role", "outlines"]


def store_outlines(rows: EvaluatedRows, annotations: Annotations) -> pd.DataFrame:
    """A row per image and category, objects too: polygons as `trace_outlines` gives them; `region_outlines.parquet`."""
    key = {
        "version": VERSION,
        "fingerprint": rows.session.inputs.fingerprint,
        "annotations": annotations.digest,
        "roles": dict(annotations.roles),
    }
    return rows.stored_table("region_outlines", key, lambda: _trace_all(rows, annotations))


def _trace_all(rows: EvaluatedRows, annotations: Annotations) -> pd.DataFrame:
    session, found = rows.session, []
    for sample in rows.samples:
        regions = session.regions_on_input(sample.row_id) if annotations.regions.get(sample.row_id) else None
        if regions is None:
            continue
        extent = session.photos.extent(sample.row_id)
        for category, coverage in regions.coverage.items():
            mask = coverage >= HALF
            # A region thinner than a pixel covers half of none.
            outlines = trace_outlines(mask if mask.any() else coverage > 0, extent)
            found.append((sample.row_id, category, annotations.roles[category], outlines))
    return pd.DataFrame(found, columns=COLUMNS)
