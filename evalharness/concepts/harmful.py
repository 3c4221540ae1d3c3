"""The regions of harmful concepts, from what an evaluation stores: what to cut out, hide or watch for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class ConceptRegion:
    """One region of a concept."""

    row_id: str
    box: tuple[float, float, float, float]
    """Top, bottom, left and right as parts of the photo's height and width."""
    patches: tuple[int, ...]
    """Of the grid, counted along its rows."""


def harmful_regions(table: pd.DataFrame, found: Mapping[str, Any] | None) -> dict[str, tuple[ConceptRegion, ...]]:
    """By name of each harmful concept, the strongest pull first: its regions in both halves, most of the map first.

    Args:
        table: `concepts.parquet`.
        found: What the manifest keeps of the stage; None where it did not run.
    """
    harmful = [concept for concept in (found or {}).get("concepts", ()) if concept["is_harmful"]]
    regions: dict[str, tuple[ConceptRegion, ...]] = {}
    for concept in harmful:
        own = table[(table["concept"] == concept["number"]) & table["is_assigned"]]
        rows: list[Any] = own.sort_values(["share", "row_id"], ascending=[False, True]).to_dict("records")
        regions[concept["name"]] = tuple(
            ConceptRegion(
                str(row["row_id"]),
                (row["top"], row["bottom"], row["left"], row["right"]),
                tuple(int(patch) for patch in row["patches"]),
            )
            for row in rows
        )
    return regions
