"""What a comparison takes from each finished run: its verdicts, its settings, and the tables of its audit."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from evalharness.comparison import ComparedRun
from evalharness.finished_runs import FinishedRun

MODEL_SETTINGS = ("backbone_sha256", "grid_size")
NOT_LISTED = ("maps", "dataset")
"""Sections of the recipe that must be the same, so that they are not listed as settings."""


@dataclass(frozen=True)
class RunToCompare(FinishedRun):
    """A finished run with what the comparison reads of it."""

    @classmethod
    def of(cls, run: FinishedRun) -> "RunToCompare":
        """The same run, to be compared."""
        return cls(run.name, run.result, run.run_id)

    @cached_property
    def compared(self) -> ComparedRun:
        """What the mathematics takes."""
        samples, recipe = self.result.samples, self.result.recipe
        properties = self.result.manifest["provenance"]["model"]
        skipped = pd.read_csv(self.result.folder / "skipped.csv", dtype=str, keep_default_na=False)
        row_ids = tuple(samples["row_id"])
        height, width = recipe["input"]["image_size"]
        return ComparedRun(
            name=self.name,
            row_ids=row_ids,
            labels=tuple(samples["label"]),
            digests=tuple(samples["sha256"]),
            groups=tuple(samples["group"]),
            # Of rows that repeat an id one may be kept and the others skipped.
            skipped=tuple(sorted(set(skipped["row_id"]) - set(row_ids))),
            classes=self.result.classes,
            probs=samples[[f"prob_{name}" for name in self.result.classes]].to_numpy(np.float64),
            maps=recipe["maps"],
            settings={
                **dict(_flatten({key: value for key, value in recipe.items() if key not in NOT_LISTED})),
                **{f"model.{name}": properties[name] for name in MODEL_SETTINGS},
                "dataset.group": self.config.dataset.group,
            },
            image_size=(height, width),
            backbone_sha256=properties["backbone_sha256"],
        )

    def audit_table(self, name: str) -> pd.DataFrame | None:
        """A table of the audit, if the run had annotations."""
        path = self.result.folder / f"{name}.parquet"
        return pd.read_parquet(path) if path.is_file() else None

    @property
    def audit_key(self) -> Mapping[str, Any]:
        """What the audit depends on besides the run's recipe: the regions, their roles, and how they were erased."""
        path = self.result.folder / "erasures.key.json"
        stored = json.loads(path.read_text(encoding="utf-8"))["key"] if path.is_file() else {}
        return {name: value for name, value in stored.items() if name != "fingerprint"}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
