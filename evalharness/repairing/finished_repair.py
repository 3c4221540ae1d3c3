"""A finished repair, read from its folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from evalharness.manifest import read_output

WEIGHTS = "repaired.h5"


@dataclass(frozen=True)
class Repair:
    """A finished repair, read from its folder; `Repair.load(folder)` reads one again."""

    folder: Path
    manifest: dict[str, Any]
    accuracy: pd.DataFrame
    """A row for photos without a distractor, and for each category."""
    pull: pd.DataFrame
    """A row per category and class."""
    predictions: pd.DataFrame
    """A row per photo of the proof: the verdicts before and after."""
    run_id: str | None = None
    """Of MLflow."""

    @classmethod
    def load(cls, folder: Path, run_id: str | None = None) -> "Repair":
        """Reads a repair's folder.

        Raises:
            ResultsError: There is no finished repair in it.
        """
        manifest = read_output(Path(folder), "repair")
        tables = {
            name: pd.read_csv(Path(folder) / f"{name}.csv", keep_default_na=False, na_values=[""])
            for name in ("accuracy", "pull", "predictions")
        }
        return cls(Path(folder), manifest, **tables, run_id=run_id)

    @property
    def sentence(self) -> str:
        """Repaired, better, or not better, and why."""
        return str(self.manifest["sentence"])

    @property
    def weights(self) -> Path:
        """The repaired weights file."""
        return self.folder / WEIGHTS
