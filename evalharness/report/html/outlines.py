"""Outlines that the page draws over photo and maps: of annotated regions, and of the regions of harmful concepts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evalharness.audit.outlines import trace_outlines
from evalharness.records import Extent
from evalharness.report.html.run_contents import RunContents

CHARS_PER_NUMBER = 7
DIGITS = 3


def annotated_outlines(run: RunContents, row_id: str, category: str) -> list[list[float]]:
    """Of one category of one image, as `trace_outlines` gives them; none where none are kept."""
    if run.outlines is None:
        return []
    own = run.outlines[(run.outlines["row_id"] == row_id) & (run.outlines["category"] == category)]
    return [list(polygon) for polygons in own["outlines"] for polygon in polygons]


def concept_outlines(run: RunContents, patches: Sequence[int], extent: Extent) -> list[list[float]]:
    """Of a region of a concept."""
    grid_size = run.maps[run.findings["concepts"]["map_id"]].shape[1:]
    mask = np.zeros(grid_size[0] * grid_size[1], np.bool_)
    mask[np.asarray(patches, int)] = True
    return trace_outlines(mask.reshape(grid_size), extent)


def outline_data(run: RunContents, row_ids: Sequence[str], extents: Sequence[Extent]) -> list[dict[str, Any]]:
    """A list entry per category or harmful concept: `name, role, rows` and each row's polygons (`shapes`)."""
    place_of = {row_id: place for place, row_id in enumerate(row_ids)}
    found = []
    if run.outlines is not None:
        shown = run.outlines[run.outlines["row_id"].isin(place_of)]
        for (role, category), own in shown.groupby(["role", "category"], sort=True):
            rows = [place_of[row_id] for row_id in own["row_id"]]
            shapes = [[_short(polygon) for polygon in polygons] for polygons in own["outlines"]]
            found.append({"name": category, "role": role, "rows": rows, "shapes": shapes})
    return [*found, *_concept_data(run, place_of, extents)]


def chars_per_image(run: RunContents) -> float:
    """Characters that outlines take in the page, of an image on average."""
    if run.outlines is None or run.samples.empty:
        return 0.0
    num_numbers = sum(len(polygon) for polygons in run.outlines["outlines"] for polygon in polygons)
    return CHARS_PER_NUMBER * num_numbers / len(run.samples)


def _concept_data(run: RunContents, place_of: dict[str, int], extents: Sequence[Extent]) -> list[dict[str, Any]]:
    harmful = [found for found in (run.findings.get("concepts") or {}).get("concepts", ()) if found["is_harmful"]]
    if run.concepts is None:
        return []
    assigned = run.concepts[run.concepts["is_assigned"] & run.concepts["row_id"].isin(place_of)]
    found = []
    for concept in harmful:
        shapes: dict[int, list[list[float]]] = {}
        rows: list[Any] = assigned[assigned["concept"] == concept["number"]].to_dict("records")
        for row in rows:
            place = place_of[row["row_id"]]
            shapes.setdefault(place, []).extend(map(_short, concept_outlines(run, row["patches"], extents[place])))
        found.append(
            {"name": concept["name"], "role": "discovered", "rows": list(shapes), "shapes": list(shapes.values())}
        )
    return found


def _short(polygon: Sequence[float]) -> list[float]:
    return [round(float(value), DIGITS) for value in polygon]
