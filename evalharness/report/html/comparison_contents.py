"""What the report of a comparison reads: the comparison's own numbers, and the pictures of its runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evalharness.records import Extent, FloatArray, UInt8Array


@dataclass(frozen=True, slots=True)
class RunMaps:
    """The maps of one run, and what its evaluation found."""

    name: str
    load: Callable[[str, Sequence[str]], FloatArray]
    """Densities of a map id and of row ids, (rows, grid rows, grid columns)."""
    extent: Callable[[str], Extent]
    """The part of the run's input that a row's photo spans."""
    manifest: Mapping[str, Any]
    """Of the run's evaluation."""
    audit: pd.DataFrame | None
    """Its table of annotated regions, if there are any."""


@dataclass(frozen=True, slots=True)
class ComparisonContents:
    """One comparison: each run against the reference."""

    manifest: Mapping[str, Any]
    """What the folder's `manifest.json` holds, or is going to; numbers that are not defined are NaN or None."""
    tables: Mapping[str, pd.DataFrame]
    """The CSV tables by name; `flips` has `reference_true_prob` and `true_prob`."""
    figures: tuple[Path, ...]
    runs: tuple[RunMaps, ...]
    """The reference first."""
    load_photo: Callable[[str], UInt8Array]
    """RGB (height, width, 3) of a row id; fails where the photo is gone."""
    aspect: Callable[[str], float]
    """Width / height of a row's photo, there or not."""

    @property
    def pairs(self) -> list[Mapping[str, Any]]:
        """The runs but the reference, each against it."""
        return list(self.manifest["pairs"])

    @property
    def run_names(self) -> list[str]:
        """The reference first."""
        return [run.name for run in self.runs]

    @property
    def flips(self) -> pd.DataFrame:
        """A row per run and image of which exactly one of the two is right."""
        return self.tables["flips"]

    @property
    def density_max(self) -> float:
        """Density at the top of the one colour scale."""
        return float(self.manifest["density_max"])
