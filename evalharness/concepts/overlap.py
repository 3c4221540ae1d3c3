"""Which concept of another run is the same: by the centroids of a shared backbone, or by the photos that hold it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalharness.concepts.clustering import Clusters
from evalharness.records import FloatArray


@dataclass(frozen=True, slots=True)
class Match:
    """A concept of the reference and the one of a run that is most like it."""

    reference: int
    """Its number."""
    number: int | None
    """Of the run's concept; None where nothing is like it."""
    overlap: float
    """By centroids: part of the run's concept that belongs to the reference's. By photos: photos that hold both, of
    those that hold either. 0 to 1."""


def match_by_centroids(table: pd.DataFrame, features: FloatArray, reference: Clusters) -> tuple[Match, ...]:
    """For every concept of the reference, the run's concept with the largest part of its regions there.

    Args:
        table: `concepts.parquet` of the run.
        features: Of its regions, in the same order, (n, D).
        reference: Of the reference, whose backbone is the same.
    """
    there = reference.assign(features)
    rows = pd.DataFrame(
        {
            "number": table["concept"].to_numpy(),
            "there": np.where(there.is_assigned, there.clusters + 1, 0),
            "counts": table["is_assigned"].to_numpy(),
        }
    )
    rows = rows[rows["counts"]]
    parts = pd.crosstab(rows["number"], rows["there"], normalize="index")
    return tuple(_best(parts, number) for number in range(1, len(reference.centroids) + 1))


def match_by_photos(table: pd.DataFrame, reference: pd.DataFrame) -> tuple[Match, ...]:
    """For every concept of the reference, the run's concept that is in the same photos.

    Args:
        table: `concepts.parquet` of the run.
        reference: That of the reference.
    """
    own, others = _photos(table), _photos(reference)
    parts = pd.DataFrame(
        {
            number: {name: len(held & wanted) / len(held | wanted) for name, held in own.items()}
            for number, wanted in others.items()
        }
    )
    return tuple(_best(parts, number) for number in others)


def _photos(table: pd.DataFrame) -> dict[int, set[str]]:
    assigned = table[table["is_assigned"]]
    return {int(str(number)): set(rows["row_id"]) for number, rows in assigned.groupby("concept")}


def _best(parts: pd.DataFrame, number: int) -> Match:
    if number not in parts or not parts[number].max() > 0:
        return Match(number, None, 0.0)
    return Match(number, int(str(parts[number].idxmax())), float(parts[number].max()))
