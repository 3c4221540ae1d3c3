"""Writes rows as they are finished, so that a killed evaluation can continue and memory stays flat."""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.lib.format import open_memmap

from evalharness.errors import ResultsError
from evalharness.manifest import MANIFEST, read_json, write_json
from evalharness.records import BatchOutput, FloatArray, IntArray, MapSpec
from evalharness.results.model_properties import ModelProperties

PENDING, DONE, FAILED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """The shapes of one evaluation's arrays."""

    num_rows: int
    num_classes: int
    feature_size: int
    grid_size: tuple[int, int]
    map_ids: tuple[str, ...]
    signed_ids: tuple[str, ...] = ()
    """Maps whose values are kept with their sign as well."""
    complete_ids: tuple[str, ...] = ()
    """Maps whose values add up to the score."""

    @classmethod
    def of(
        cls, model: ModelProperties, *, num_rows: int, classes: Sequence[str], specs: Sequence[MapSpec]
    ) -> "ArrayLayout":
        """The layout of one model's results."""
        map_ids = tuple(spec.map_id for spec in specs)
        signed_ids = tuple(spec.map_id for spec in specs if spec.is_signed)
        complete_ids = tuple(spec.map_id for spec in specs if spec.is_complete)
        return cls(num_rows, len(classes), model.feature_size, model.grid_size, map_ids, signed_ids, complete_ids)

    def arrays(self) -> dict[str, tuple[tuple[int, ...], type]]:
        """Shape and type of every array, by its path in the folder."""
        rows = self.num_rows
        return {
            "logits.npy": ((rows, self.num_classes), np.float32),
            "features.npy": ((rows, self.feature_size), np.float16),
            "patch_norms.npy": ((rows, *self.grid_size), np.float16),
            **{f"maps/{map_id}.npy": ((rows, *self.grid_size), np.float16) for map_id in self.map_ids},
            **{f"maps/{map_id}.sum.npy": ((rows,), np.float64) for map_id in self.map_ids},
            **{f"maps/{map_id}.signed.npy": ((rows, *self.grid_size), np.float32) for map_id in self.signed_ids},
            **{f"maps/{map_id}.completeness.npy": ((rows,), np.float32) for map_id in self.complete_ids},
            "done.npy": ((rows,), np.uint8),
        }


class ResultsWriter:
    """The arrays of an evaluation in progress; `done.npy` marks finished rows and is flushed after their data."""

    def __init__(self, folder: Path, layout: ArrayLayout, arrays: dict[str, Any], *, num_resumed: int) -> None:
        self.folder = folder
        self.layout = layout
        self.num_resumed = num_resumed
        self._arrays = arrays

    @classmethod
    @contextmanager
    def open(
        cls, folder: Path, recipe: Mapping[str, Any], fingerprint: str, layout: ArrayLayout, *, resume: bool
    ) -> Iterator["ResultsWriter"]:
        """Claims the folder, and continues what a killed evaluation of the same recipe left there.

        Raises:
            ResultsError: The folder holds something else, another process writes to it, or the disk is full.
        """
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
        try:
            with lock:
                continues = _prepare(folder, fingerprint, resume=resume) and _fits(folder, layout)
                if not continues:
                    _allocate(folder, layout)
                    write_json(folder / "recipe.json", {"fingerprint": fingerprint, "recipe": recipe})
                arrays = {name: np.load(folder / name, mmap_mode="r+") for name in layout.arrays()}
                num_resumed = int((arrays["done.npy"] == DONE).sum())
                # Rows that failed are tried again: their file may have been mended.
                arrays["done.npy"][arrays["done.npy"] == FAILED] = PENDING
                yield cls(folder, layout, arrays, num_resumed=num_resumed)
        except Timeout as error:
            raise ResultsError(
                "results folder is in use by another evaluation",
                where=folder,
                fix="Wait for it, or set another output_dir",
            ) from error

    def pending(self) -> IntArray:
        """Positions of the rows that are not finished."""
        return np.flatnonzero(self._arrays["done.npy"] == PENDING)

    def write(self, positions: IntArray, output: BatchOutput) -> None:
        """Stores a batch; once this returns the rows survive the end of the process."""
        rows: dict[str, FloatArray] = {
            "logits.npy": output.logits,
            "features.npy": output.features,
            "patch_norms.npy": output.patch_norms,
        }
        for map_id, density in output.densities.items():
            rows[f"maps/{map_id}.npy"] = density
            rows[f"maps/{map_id}.sum.npy"] = output.map_sums[map_id]
        rows |= {f"maps/{map_id}.signed.npy": values for map_id, values in output.signed.items()}
        rows |= {f"maps/{map_id}.completeness.npy": values for map_id, values in output.completeness_errors.items()}
        for name, values in rows.items():
            self._arrays[name][positions] = values
            self._arrays[name].flush()
        self._mark(positions, DONE)

    def fail(self, position: int, reason: str) -> None:
        """Marks a row that could not be evaluated; `reason` is kept in `failures.jsonl`."""
        with (self.folder / "failures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"position": int(position), "reason": reason}) + "\n")
        self._mark(np.array([position]), FAILED)

    def failures(self) -> dict[int, str]:
        """Position and reason of each row that failed and was not mended since."""
        path = self.folder / "failures.jsonl"
        if not path.exists():
            return {}
        entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        failed = self._arrays["done.npy"] == FAILED
        return {entry["position"]: entry["reason"] for entry in entries if failed[entry["position"]]}

    def array(self, name: str) -> Any:
        """A view of one array, such as `logits.npy`."""
        return self._arrays[name]

    def maps(self) -> dict[str, Any]:
        """Views of the densities, (rows, grid rows, grid columns), by map id."""
        return {map_id: self.array(f"maps/{map_id}.npy") for map_id in self.layout.map_ids}

    def map_sums(self) -> dict[str, FloatArray]:
        """The raw sums, (rows,), by map id."""
        return {map_id: np.array(self.array(f"maps/{map_id}.sum.npy")) for map_id in self.layout.map_ids}

    def completeness_errors(self) -> dict[str, FloatArray]:
        """How far each map's values are from adding up to the score, (rows,), by map id."""
        return {map_id: np.array(self.array(f"maps/{map_id}.completeness.npy")) for map_id in self.layout.complete_ids}

    def keep_rows(self, positions: IntArray) -> None:
        """Drops the rows that are not in `positions` from every array, where there are any."""
        if len(positions) == self.layout.num_rows:
            return
        for name in self.layout.arrays():
            kept = np.array(self._arrays[name][positions])
            partial = self.folder / f"{name}.partial"
            with partial.open("wb") as file:
                np.save(file, kept)
            self._arrays[name] = kept
            partial.replace(self.folder / name)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Writes the manifest, which makes the folder complete."""
        write_json(self.folder / MANIFEST, manifest)
        (self.folder / "failures.jsonl").unlink(missing_ok=True)

    def _mark(self, positions: IntArray, state: int) -> None:
        self._arrays["done.npy"][positions] = state
        self._arrays["done.npy"].flush()


def _prepare(folder: Path, fingerprint: str, *, resume: bool) -> bool:
    """Whether the folder holds an unfinished evaluation to continue; empties it where it holds one to discard."""
    recipe = folder / "recipe.json"
    if not recipe.is_file():
        strangers = sorted(path.name for path in folder.iterdir())
        if strangers:
            raise ResultsError(
                "output_dir is not a results folder",
                expected="an empty or new folder",
                got=f"{len(strangers)} entries such as {strangers[0]}",
                where=folder,
                fix="Choose another output_dir",
            )
        return False
    is_same = read_json(recipe, fix="Delete the folder and evaluate again")["fingerprint"] == fingerprint
    if not is_same and (folder / MANIFEST).exists():
        raise ResultsError(
            "output_dir holds the results of another recipe",
            where=folder,
            fix="Choose another output_dir, or remove the folder",
        )
    if is_same and resume:
        # Complete rows are kept when something else than the recipe was changed.
        (folder / MANIFEST).unlink(missing_ok=True)
        return True
    # The manifest goes first, so that a half-removed folder never looks complete.
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)
    folder.mkdir()
    return False


def _fits(folder: Path, layout: ArrayLayout) -> bool:
    for name, (shape, dtype) in layout.arrays().items():
        try:
            array = np.load(folder / name, mmap_mode="r")
        except (OSError, ValueError):
            return False
        if array.shape != shape or array.dtype != dtype:
            return False
    return True


def _allocate(folder: Path, layout: ArrayLayout) -> None:
    """Creates every array on disk at its full size: a full disk is found now, not as a crash in the middle."""
    for name, (shape, dtype) in layout.arrays().items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        try:
            open_memmap(path, mode="w+", dtype=dtype, shape=shape)  # type: ignore[no-untyped-call]
            _reserve(path)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            needed = sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in layout.arrays().values())
            raise ResultsError(
                "disk is full",
                expected=f"{needed / 1e6:.0f} MB free for results",
                where=folder,
                fix="Make room, or set output_dir to another disk",
            ) from error


def _reserve(path: Path) -> None:
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
