"""A finished comparison, read from its folder."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from evalharness.comparing.compared_runs import RunToCompare
from evalharness.comparing.pictures import flip_picture, lineup_picture
from evalharness.manifest import read_output
from evalharness.results import StoredResult


@dataclass(frozen=True)
class Comparison:
    """A finished comparison, read from its folder.

    `Comparison.load(folder)` reads one again.
    """

    folder: Path
    manifest: dict[str, Any]
    headline: pd.DataFrame
    """A row per run and metric: `reference, value, difference, ci_low, ci_high`."""
    per_class: pd.DataFrame
    """The same per class, for recall, precision and F1."""
    calibration: pd.DataFrame
    """A row per run and confidence bin."""
    predictions: pd.DataFrame
    """A row per image: each run's verdict and confidence."""
    flips: pd.DataFrame
    """A row per run and image of which exactly one of the two is right; `kind` is broken or fixed."""
    map_similarity: pd.DataFrame
    """A row per run, map and image: Spearman's rank correlation with the reference's map."""
    regions: pd.DataFrame
    """A row per run, map, category and measure of the audit."""
    pull: pd.DataFrame
    """A row per run, category and class."""
    settings: pd.DataFrame
    """The settings that differ, a column per run."""
    concepts: pd.DataFrame = field(default_factory=pd.DataFrame)
    """A row per run and discovered concept of the reference, with the concept of the run that is most like it."""
    believe: pd.DataFrame = field(default_factory=pd.DataFrame)
    """A row per run and measure of what can be believed."""
    run_id: str | None = None
    """Of MLflow."""

    @classmethod
    def load(cls, folder: Path, run_id: str | None = None) -> "Comparison":
        """Reads a comparison's folder.

        Raises:
            ResultsError: There is no finished comparison in it.
        """
        manifest = read_output(Path(folder), "comparison")
        tables = {
            name.removesuffix(".csv"): pd.read_csv(
                Path(folder) / name, dtype={"row_id": str, "label": str, "class": str}, keep_default_na=False,
                na_values=[""],
            )
            for name in manifest["tables"]
        }  # fmt: skip
        return cls(Path(folder), manifest, **tables, run_id=run_id)

    @property
    def sentence(self) -> str:
        """Better, worse, probably so, cannot tell, or no difference; for every run but the reference."""
        return str(self.manifest["sentence"])

    @property
    def remarks(self) -> list[str]:
        """What else is worth saying: of the audit, of the maps, and what could not be compared."""
        return list(self.manifest["remarks"])

    def show(self, row_id: str, map_id: str | None = None) -> Image.Image:
        """The photo, then each run's verdict and map of it, all on one scale, with a legend.

        Read from the runs' results, which must still be there.

        Args:
            row_id: The image's key.
            map_id: Default: the first map of the comparison.

        Raises:
            ResultsError: No such image or map, or a run's results are gone (`flips/` has pictures of the flips).
        """
        runs = [RunToCompare(run["name"], StoredResult(Path(run["folder"]))) for run in self.manifest["runs"]]
        shown = map_id or next(iter(self.manifest["map_ids"]), None)
        return (
            Image.fromarray(flip_picture(runs, row_id, None)) if shown is None else lineup_picture(runs, row_id, shown)
        )
