"""The committed checkpoints of transformers and timm, with what these compute (`fixtures/make_reference.py`)."""

from functools import cache
from pathlib import Path

import numpy as np

from evalharness.completed_config import compose_completed
from evalharness.config import RunConfig
from evalharness.model import load_model, resolve_weights
from evalharness.records import VisionTransformer

CHECKPOINTS = Path(__file__).parent / "fixtures" / "checkpoints"
NAMES = sorted(path.name for path in CHECKPOINTS.iterdir() if path.is_dir())
CLASSES = ("daisy", "roses", "tulips")


def preset_of(name: str) -> str:
    return "timm" if name.startswith("timm") else "huggingface"


def composed(folder: Path | str, *overrides: str, preset: str | None = None) -> RunConfig:
    preset = preset or preset_of(Path(folder).name)
    return compose_completed([f"model={preset}", f"model.weights='{folder}'", "dataset.csv=none.csv", *overrides])


@cache
def loaded(name: str, *overrides: str) -> VisionTransformer:
    """Loaded as a run would, from the folder alone."""
    return loaded_from(CHECKPOINTS / name, *overrides)


def loaded_from(folder: Path, *overrides: str, preset: str | None = None) -> VisionTransformer:
    config = composed(folder, *overrides, preset=preset)
    source = resolve_weights(str(folder), tracking_uri="", cache_dir=Path())
    return load_model(config.model, classes=config.model.classes or CLASSES, source=source)


def images_for(model: VisionTransformer) -> np.ndarray:
    """Two images of the model's input size, uint8."""
    height, width = model.image_size
    return np.load(CHECKPOINTS / f"images-{height}x{width}.npy")


@cache
def reference(name: str) -> dict[str, np.ndarray]:
    with np.load(CHECKPOINTS / name / "reference.npz") as arrays:
        return dict(arrays)
