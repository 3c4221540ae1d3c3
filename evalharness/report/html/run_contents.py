"""What a report reads of a results folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalharness.records import FloatArray, IntArray

NUMBERS = ("support", "num_predicted", "precision", "recall", "f1")


@dataclass(frozen=True, slots=True)
class RunContents:
    """One evaluation as it lies in its folder."""

    folder: Path
    manifest: Mapping[str, Any]
    samples: pd.DataFrame
    """A row per image: `row_id, path, label, pred_label, correct, confidence, prob_<class>...`."""
    classes: tuple[str, ...]
    """In the order of the confusion matrix."""
    confusion: IntArray
    """Counts, true classes in rows."""
    per_class: pd.DataFrame
    """A row per class: `class`, and `NUMBERS`."""
    maps: Mapping[str, FloatArray]
    """Densities by map id, (rows, grid rows, grid columns); memory-mapped."""
    audit: pd.DataFrame | None
    """A row per image, map and annotated category."""
    outlines: pd.DataFrame | None
    """A row per image and annotated category; evaluations of earlier versions have none."""
    noise: pd.DataFrame | None
    """A row per image and map."""
    concepts: pd.DataFrame | None
    """A row per region that belongs to a concept."""
    strips: Mapping[int, Path]
    """Crops of each concept, by its number."""
    figures: tuple[Path, ...]
    """Every picture but the overlays of single images."""

    @classmethod
    def read(cls, folder: Path, manifest: Mapping[str, Any]) -> "RunContents":
        """Reads the tables of a folder; those of a stage only if the manifest has findings of it.

        Args:
            folder: The results folder; its `manifest.json` need not be there yet.
            manifest: What it holds, or is going to.
        """
        confusion = json.loads((folder / "confusion_matrix.json").read_text(encoding="utf-8"))
        findings = manifest["findings"]
        return cls(
            folder=folder,
            manifest=manifest,
            samples=pd.read_parquet(folder / "samples.parquet"),
            classes=tuple(confusion["classes"]),
            confusion=np.asarray(confusion["counts"], np.int64).reshape(len(confusion["classes"]), -1),
            per_class=_read_per_class(folder / "per_class.csv"),
            maps={
                map_id: np.load(folder / "maps" / f"{map_id}.npy", mmap_mode="r")
                for map_id in manifest["recipe"]["maps"]
            },
            audit=_read_table(folder / "audit.parquet") if findings.get("regions") else None,
            outlines=_read_table(folder / "region_outlines.parquet") if findings.get("regions") else None,
            noise=_read_table(folder / "noise.parquet") if findings.get("noise") else None,
            concepts=_read_table(folder / "concepts.parquet") if findings.get("concepts") else None,
            strips={int(path.stem): path for path in (folder / "figures" / "concepts").glob("*.jpg")},
            figures=tuple(sorted((folder / "figures").glob("*.png"))),
        )

    @property
    def findings(self) -> Mapping[str, Any]:
        """Of the stages behind prediction."""
        findings: Mapping[str, Any] = self.manifest["findings"]
        return findings

    @property
    def density_max(self) -> float:
        """Density at the top of the colour scale."""
        return float(self.manifest["config"]["report"]["density_max"])

    @property
    def seed(self) -> int:
        """Of the random choices."""
        return int(self.manifest["config"]["seed"])

    def erasures(self, name: str, keys: Sequence[str], row_ids: Sequence[str]) -> pd.DataFrame | None:
        """Logits with regions erased, of these images: the `keys` and `erased_logits`; None where they are not kept.

        Args:
            name: Of the table, without its ending.
            keys: Columns that name a region.
            row_ids: Of the images.
        """
        path = self.folder / f"{name}.parquet"
        if not path.is_file():
            return None
        return pd.read_parquet(path, columns=[*keys, "erased_logits"], filters=[("row_id", "in", list(row_ids))])


def _read_table(path: Path) -> pd.DataFrame | None:
    return pd.read_parquet(path) if path.is_file() else None


def _read_per_class(path: Path) -> pd.DataFrame:
    # A class may be called `NA`.
    return pd.read_csv(path, dtype={"class": str}, keep_default_na=False, na_values={name: [""] for name in NUMBERS})
