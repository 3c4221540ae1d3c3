"""What the last layers see of every photo: one forward pass each, kept on disk, so that a kill costs little."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from evalharness import model as models
from evalharness.console import note, progress_bar, tell_cost
from evalharness.dataset import Photos
from evalharness.dataset.cutouts import Cutouts
from evalharness.dataset.pasting import paste_into
from evalharness.model import LastLayers, LayerName
from evalharness.records import FloatArray, UInt8Array
from evalharness.repairing.evaluation import Evaluation
from evalharness.results import fingerprint, input_settings

SHOTS_PER_PART = 256
"""Photos that a kill may cost."""


@dataclass(frozen=True)
class Shot:
    """One image that the model sees."""

    key: str
    """Of everything that its pixels depend on."""
    load: Callable[[], UInt8Array]
    """RGB (height, width, 3), as the model sees it."""


def photo_shot(photos: Photos, row_id: str) -> Shot:
    """A photo as it is."""
    return Shot(photos.dataset.images[row_id].sha256, partial(photos.load_input, row_id))


def pasted_shot(photos: Photos, row_id: str, category: str, cutouts: Cutouts, scale: tuple[float, float]) -> Shot:
    """A photo with a cut-out; arguments as of `paste_into`."""
    return Shot(
        f"{photos.dataset.images[row_id].sha256} {row_id} pasted {category} {cutouts.digest} {scale}",
        lambda: paste_into(photos, row_id, category, cutouts, scale).image,
    )


class FeatureStore:
    """Features on disk, by key: `<number>.npz`, each written whole.

    Args:
        folder: Of one model and its preprocessing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._rows: dict[str, Mapping[LayerName, FloatArray]] = {}
        for path in sorted(folder.glob("*.npz")):
            self._read(path)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def add(self, keys: Sequence[str], features: Mapping[LayerName, FloatArray]) -> None:
        """Stores the features (n, D) of n keys."""
        digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
        path = self.folder / f"{digest}.npz"
        unfinished = path.with_name(f"{path.name}.partial")
        with unfinished.open("wb") as file:
            np.savez(file, keys=np.array(keys), **{str(name): values for name, values in features.items()})
        unfinished.replace(path)
        self._take(keys, features)

    def get(self, keys: Sequence[str]) -> dict[LayerName, FloatArray]:
        """The features (n, D) of stored keys, in their order."""
        rows = [self._rows[key] for key in keys]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _read(self, path: Path) -> None:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                names: list[LayerName] = [name for name in ("linear", "last") if name in stored]
                self._take(stored["keys"].tolist(), {name: stored[name] for name in names})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            # Computed again.
            path.unlink(missing_ok=True)

    def _take(self, keys: Sequence[str], features: Mapping[LayerName, FloatArray]) -> None:
        for place, key in enumerate(keys):
            self._rows[key] = {name: values[place] for name, values in features.items()}


@dataclass(frozen=True)
class FrozenBackbone:
    """The run's model, and the features of all photos that it was shown so far."""

    layers: LastLayers
    store: FeatureStore
    batch_size: int
    num_workers: int

    @classmethod
    def of(cls, evaluation: Evaluation) -> "FrozenBackbone":
        """Loads the model; its features are in `runs_dir`/cache/features.

        Raises:
            EvalHarnessError: The weights do not fit, or the model's end cannot be fitted anew.
        """
        config = evaluation.config
        models.configure_tensorflow(config.seed)
        model = models.load_model(config.model, classes=evaluation.classes, source=evaluation.weights)
        recipe = evaluation.run.result.recipe
        digest = fingerprint({"model": recipe["model"], "input": input_settings(config)})
        store = FeatureStore(config.runs_dir / "cache" / "features" / digest[:16])
        return cls(LastLayers(model, config.model), store, config.batch_size, config.num_workers)

    def features(self, shots: Sequence[Shot], what: str) -> dict[LayerName, FloatArray]:
        """What each last layer sees of every shot, (shots, D), in order; what is stored is not computed again.

        Args:
            shots: At least one.
            what: Is being done, for the progress bar.
        """
        missing = list({shot.key: shot for shot in shots if shot.key not in self.store}.values())
        num_all = len({shot.key for shot in shots})
        if len(missing) < num_all:
            note(f"{what}: features of {num_all - len(missing)} images are kept from before")
        if missing:
            self._compute(missing, what)
        return self.store.get([shot.key for shot in shots])

    def _compute(self, missing: Sequence[Shot], what: str) -> None:
        layers = self.layers
        size = min(self.batch_size, len(missing))
        blank: UInt8Array = np.zeros((size, *layers.model.image_size, 3), np.uint8)
        tell_cost(what, num_passes=len(missing), run_once=lambda: layers.inputs(blank), passes_per_run=size)
        with progress_bar("Reading features", len(missing)) as advance, ThreadPoolExecutor(self.num_workers) as pool:
            for start in range(0, len(missing), SHOTS_PER_PART):
                part = missing[start : start + SHOTS_PER_PART]
                found: list[Mapping[LayerName, FloatArray]] = []
                for first in range(0, len(part), self.batch_size):
                    batch = part[first : first + self.batch_size]
                    found.append(layers.inputs(np.stack(list(pool.map(lambda shot: shot.load(), batch)))))
                    advance(len(batch))
                together = {name: np.concatenate([values[name] for values in found]) for name in layers.names}
                self.store.add([shot.key for shot in part], together)
