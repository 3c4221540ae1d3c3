"""Finished evaluations: found by folder or MLflow run id, with their config and the photos that they evaluated."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from evalharness import tracking
from evalharness.config import RunConfig, TrackingConfig
from evalharness.dataset import MAX_DRAWN_SIDE, ImageError, load_photo, place
from evalharness.errors import ConfigError
from evalharness.records import Extent, IntArray, UInt8Array
from evalharness.results import StoredResult

MISSING_GREY = 200


@dataclass(frozen=True)
class FinishedRun:
    """A finished evaluation, and what it is called beside others."""

    name: str
    result: StoredResult
    run_id: str | None = None
    """Of MLflow, where it is known."""

    @cached_property
    def config(self) -> RunConfig:
        """Of the evaluation."""
        return RunConfig.model_validate(self.result.manifest["config"])

    def photo(self, row_id: str) -> UInt8Array:
        """The photo for drawing; plain grey if the file is gone or no longer the one that was evaluated."""
        try:
            return self.evaluated_photo(row_id)
        except (OSError, ImageError):
            height, width = self.photo_size(row_id)
        scale = MAX_DRAWN_SIDE / max(height, width)
        return np.full((max(1, round(height * scale)), max(1, round(width * scale)), 3), MISSING_GREY, np.uint8)

    def evaluated_photo(self, row_id: str) -> UInt8Array:
        """The photo for drawing.

        Raises:
            OSError: The file is gone, or no longer the one that was evaluated.
            ImageError: It cannot be decoded.
        """
        row = self.result.samples.iloc[self.result.position(row_id)]
        path = Path(self.result.manifest["provenance"]["dataset"]["root"]) / row["path"]
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            raise OSError(f"{path} is no longer the photo that was evaluated")
        return load_photo(path, config=self.config.dataset, max_side=MAX_DRAWN_SIDE)

    def photo_size(self, row_id: str) -> tuple[int, int]:
        """(height, width) in pixels of the photo that was evaluated."""
        height, width = self._photo_sizes[self.result.position(row_id)]
        return int(height), int(width)

    @cached_property
    def _photo_sizes(self) -> IntArray:
        return self.result.samples[["height", "width"]].to_numpy(np.int64)

    def extent(self, size: tuple[int, int]) -> Extent:
        """The part of this run's input that a photo of this (height, width) spans."""
        dataset = self.config.dataset
        return place(size, self.config.model.image_size, dataset.resize, dataset.resize_size).extent


def check_names(names: Sequence[str]) -> None:
    """Refuses what cannot be a run, before any store is opened.

    Raises:
        ConfigError: A name that is neither a folder nor a run id.
        ResultsError: A folder without finished results.
    """
    for name in names:
        if _run_id(name) is None:
            StoredResult(Path(name))


def find_runs(names: Sequence[str], store: tracking.Store, runs_dir: Path) -> tuple[FinishedRun, ...]:
    """Finds the results of every run named.

    Args:
        names: Results folders, or ids of MLflow runs.
        store: Where runs are looked up.
        runs_dir: Downloaded results go to its cache.

    Raises:
        ConfigError: A name that is neither.
        ResultsError: A folder without finished results.
        TrackingError: No such run, or one without results.
    """
    found: list[tuple[StoredResult, str | None]] = []
    for name in names:
        run_id = _run_id(name)
        if run_id is None:
            result = StoredResult(Path(name))
            found.append((result, tracking.find_run(store, result.folder)))
        else:
            found.append((StoredResult(tracking.fetch_results(store, run_id, _cache(runs_dir))), run_id))
    titles = _distinct_names([result for result, _ in found])
    return tuple(FinishedRun(title, result, run_id) for title, (result, run_id) in zip(titles, found, strict=True))


def find_result(name: str, config: TrackingConfig, runs_dir: Path) -> StoredResult:
    """Finds the results of one run; the store is opened only for a run id.

    Raises:
        As `find_runs`.
    """
    run_id = _run_id(name)
    if run_id is None:
        return StoredResult(Path(name))
    return StoredResult(tracking.fetch_results(tracking.open_store(config, runs_dir), run_id, _cache(runs_dir)))


def _run_id(name: str) -> str | None:
    """The MLflow run id that the name is; None if it is a folder."""
    if Path(name).is_dir():
        return None
    run_id = name.removeprefix("runs:/").strip("/")
    if tracking.is_run_id(run_id):
        return run_id
    raise ConfigError(
        "no such run",
        expected="a results folder or an MLflow run id",
        got=name,
        fix="Folders are under runs/results; run ids are printed by `evalharness run` and shown in the UI",
    )


def _cache(runs_dir: Path) -> Path:
    return runs_dir / "cache" / "results"


def _distinct_names(results: Sequence[StoredResult]) -> list[str]:
    """The runs' names; with the folder where these meet, and numbered where that does not help either."""
    names = [str(result.manifest["name"]) for result in results]
    counts = Counter(names)
    longer = [
        f"{name} [{result.folder.name}]" if counts[name] > 1 else name
        for name, result in zip(names, results, strict=True)
    ]
    counts = Counter(longer)
    seen: Counter[str] = Counter()
    titles = []
    for plain, name in zip(names, longer, strict=True):
        seen[name] += 1
        titles.append(f"{plain} ({seen[name]})" if counts[name] > 1 else name)
    return titles
