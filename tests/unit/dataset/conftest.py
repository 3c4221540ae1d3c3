"""A folder in which tests make photos and CSV files, and load them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evalharness.config import DatasetConfig
from evalharness.dataset import load_dataset
from evalharness.records import Dataset


@dataclass
class Workbench:
    """Makes inputs under one temporary folder."""

    folder: Path

    def photo(self, name: str, size: tuple[int, int] = (24, 16), seed: int = 0, **save_options: object) -> Path:
        """Saves random pixels; `size` is (width, height)."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(path, **save_options)
        return path

    def csv(self, *rows: Sequence[str], header: Sequence[str] = ("path", "label"), name: str = "list.csv") -> Path:
        """Writes a CSV without quoting."""
        path = self.folder / name
        path.write_text("".join(",".join(cells) + "\n" for cells in (header, *rows)), encoding="utf-8")
        return path

    def config(self, csv: Path | None = None, **fields: object) -> DatasetConfig:
        """Makes the `dataset` section."""
        return DatasetConfig.model_validate({"csv": csv or self.folder / "list.csv", **fields})

    def load(
        self,
        csv: Path | None = None,
        *,
        model_classes: tuple[str, ...] | None = None,
        limit: int | None = None,
        seed: int = 123,
        **fields: object,
    ) -> Dataset:
        """Loads a dataset as the pipeline does."""
        return load_dataset(
            self.config(csv, **fields),
            model_classes=model_classes,
            runs_dir=self.folder / "runs",
            limit=limit,
            seed=seed,
            num_workers=2,
        )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


@pytest.fixture
def count_reads(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Returns the names of the image files that have been opened for reading so far."""
    opened: list[str] = []
    original = Path.open

    def spy(self: Path, *args: object, **kwargs: object) -> object:
        opened.append(self.name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", spy)
    return lambda: [name for name in opened if not name.endswith((".csv", ".lock", ".sqlite"))]
