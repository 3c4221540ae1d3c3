"""Finds the files of a checkpoint of Hugging Face or timm, and reads tensors from safetensors; opens no pickle."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalharness.errors import WeightsError
from evalharness.model.checkpoints.description import DeferredArray
from evalharness.records import FloatArray

ENDING = ".safetensors"
CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
COMPONENTS = "components"
"""The folder beside the model in which MLflow's `transformers` flavour keeps the image processor."""
PREPROCESSORS = (
    "preprocessor_config.json", "processor_config.json",
    *(f"../{COMPONENTS}/{name}/preprocessor_config.json" for name in ("image_processor", "feature_extractor")),
)  # fmt: skip
"""Where the settings of the image processor are."""
PICKLES = (".bin", ".pth", ".pt", ".ckpt", ".tar")
FLOATS = ("F64", "F32", "F16", "BF16")
MAX_NAMED = 3


@dataclass(frozen=True)
class CheckpointFiles:
    """The files that describe and hold one model."""

    folder: Path
    tensors: tuple[Path, ...]
    """One file, or the shards of an index."""
    config_text: bytes | None
    """Of `config.json`."""
    preprocessor: Mapping[str, Any] | None
    index: Mapping[str, str] | None = None
    """File name by tensor, where there are shards."""

    @property
    def config(self) -> Mapping[str, Any] | None:
        """Of `config.json`."""
        return None if self.config_text is None else _parsed(self.config_text, self.folder / CONFIG)

    @property
    def sha256(self) -> str:
        """Over the tensors' files and the config: what the model computes."""
        digest = hashlib.sha256(self.config_text or b"")
        for path in self.tensors:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    @property
    def digest(self) -> str:
        """Of `sha256` and of the image processor: two trainings may share weights, and scale photos differently."""
        return hashlib.sha256(f"{self.sha256} {json.dumps(self.preprocessor, sort_keys=True)}".encode()).hexdigest()

    def read_tensors(self) -> dict[str, DeferredArray]:
        """Every tensor by name, read when it is used.

        Raises:
            WeightsError: A file is damaged or missing, or holds numbers that are no floats.
        """
        found = {name: array for path in self.tensors for name, array in _tensors_of(path)}
        missing = sorted(set(self.index or ()) - set(found))
        if missing:
            raise WeightsError(
                "checkpoint is incomplete", expected="every tensor of the index", got=f"no {_listed(missing)}",
                where=self.folder / INDEX, fix="Copy all files of the folder again",
            )  # fmt: skip
        return found


def find_checkpoint(path: Path, key: str) -> CheckpointFiles | None:
    """Finds the files of a checkpoint.

    Args:
        path: A folder with a config and safetensors, or a safetensors file, which may have a config beside it.
        key: Of the config, for messages.

    Returns:
        None if the path leads to something else.

    Raises:
        WeightsError: A folder of this kind whose weights are pickles or missing.
    """
    if path.is_file() and path.name in (CONFIG, INDEX):
        path = path.parent
    if path.is_dir():
        return _in_folder(path, key)
    if path.is_file() and path.suffix.lower() == ENDING:
        return _gather(path.parent, (path,))
    return None


def _in_folder(folder: Path, key: str) -> CheckpointFiles | None:
    found = sorted(folder.glob(f"*{ENDING}"))
    wanted = folder / f"model{ENDING}"
    # As transformers: the index of an earlier save stays beside a whole file.
    if wanted not in found and (folder / INDEX).is_file():
        return _sharded(folder)
    if wanted in found or len(found) == 1:
        file = wanted if wanted in found else found[0]
        if file.name.startswith("adapter_model"):
            raise WeightsError(
                "weights are an adapter (LoRA) without its model", expected="whole weights", got=file, where=key,
                fix="Merge it in Python: model.merge_and_unload().save_pretrained('merged')",
            )  # fmt: skip
        return _gather(folder, (file,))
    if found:
        raise WeightsError(
            "folder holds several weights files", expected=f"model{ENDING}, or one file",
            got=_listed([file.name for file in found]), where=key, fix="Append the file's name",
        )  # fmt: skip
    pickles = sorted(file for file in folder.iterdir() if file.name.endswith(PICKLES) and file.stem != "training_args")
    config = folder / CONFIG
    if pickles and is_safetensors(pickles[0]):
        raise WeightsError(
            "weights are a safetensors file under another name", expected=f"the ending {ENDING}", got=pickles[0],
            where=key, fix=f"Rename it to model{ENDING}",
        )  # fmt: skip
    if pickles:
        is_timm = config.is_file() and "architecture" in _parsed(config.read_bytes(), config)
        raise _pickle_error(pickles[0], key, folder=None if is_timm or not config.is_file() else folder)
    if config.is_file():
        raise WeightsError(
            "folder holds no weights", expected=f"model{ENDING}", where=folder,
            got=_listed(sorted(file.name for file in folder.iterdir())),
            fix="Copy all files of the folder, or save it again with save_pretrained",
        )  # fmt: skip
    return None


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do, whatever it is called: the header's length, then JSON."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def lines_that_convert(path: Path, folder: Path | None) -> str:
    """What turns a pickle into a folder that is read: two lines of Python, and the preset.

    Args:
        path: The file.
        folder: Of a model of transformers; None: the file is taken for timm's.
    """
    if folder is not None:
        lines = (
            "from transformers import AutoImageProcessor as P, AutoModelForImageClassification as M\n"
            f"  for part in (M, P): part.from_pretrained('{folder}').save_pretrained('{folder}-safetensors')"
        )
        preset = f"model=huggingface model.weights={folder}-safetensors"
    else:
        lines = (
            f"import timm; model = timm.create_model(NAME, num_classes=N, checkpoint_path='{path}')\n"
            f"  timm.models.save_for_hf(model, '{path.with_suffix('')}', safe_serialization=True)"
        )
        preset = f"model=timm model.weights={path.with_suffix('')}"
    return f"Convert it where it was trained, in Python:\n  {lines}\nthen {preset}"


def _pickle_error(path: Path, key: str, *, folder: Path | None) -> WeightsError:
    return WeightsError(
        "weights are a pickle, as PyTorch writes, which can run code when opened", expected=f"a {ENDING} file",
        got=path, where=key, fix=lines_that_convert(path, folder),
    )  # fmt: skip


def _sharded(folder: Path) -> CheckpointFiles:
    index = _parsed((folder / INDEX).read_bytes(), folder / INDEX).get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(name, str) for name in index.values()):
        raise WeightsError("index of the weights cannot be read", expected="a weight_map", where=folder / INDEX)
    names = sorted(set(index.values()))
    missing = [name for name in names if Path(name).name != name or not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            "checkpoint is incomplete", expected=f"{len(names)} files as in its index", got=f"no {_listed(missing)}",
            where=folder, fix="Copy all files of the folder again",
        )  # fmt: skip
    return _gather(folder, tuple(folder / name for name in names), index)


def _gather(folder: Path, tensors: tuple[Path, ...], index: Mapping[str, str] | None = None) -> CheckpointFiles:
    config = folder / CONFIG
    preprocessor = next((folder / name for name in PREPROCESSORS if (folder / name).is_file()), None)
    return CheckpointFiles(
        folder,
        tensors,
        config.read_bytes() if config.is_file() else None,
        None if preprocessor is None else _parsed(preprocessor.read_bytes(), preprocessor),
        index,
    )


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise WeightsError("file cannot be read", expected="JSON", got=error, where=path) from error
    if not isinstance(values, dict):
        raise WeightsError("file cannot be read", expected="a mapping", got=type(values).__name__, where=path)
    return values


def _tensors_of(path: Path) -> Iterator[tuple[str, DeferredArray]]:
    from safetensors import SafetensorError, safe_open

    try:
        # Closed when the last array is gone; pages are read when they are used.
        file: Any = safe_open(path, framework="numpy")
        names = list(file.keys())
        slices = {name: file.get_slice(name) for name in names}
        kinds = {name: str(part.get_dtype()) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            "weights file cannot be read", expected="a safetensors file", got=_looks_like(path, error), where=path,
            fix="Copy or save the file again: it is damaged or incomplete",
        ) from error  # fmt: skip
    others = sorted(name for name, kind in kinds.items() if kind not in FLOATS and "position_ids" not in name)
    if others:
        raise WeightsError(
            "weights are quantised", expected="floats of 16, 32 or 64 bits",
            got=f"{kinds[others[0]]} in {_listed(others)}", where=path, fix="Save the model before it was quantised",
        )  # fmt: skip
    for name in names:
        yield name, DeferredArray(tuple(slices[name].get_shape()), lambda name=name: _as_float32(file, name))  # type: ignore[misc]


def _as_float32(file: Any, name: str) -> FloatArray:
    return np.asarray(file.get_tensor(name)).astype(np.float32)


def _looks_like(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(64)
    if not start:
        return "an empty file"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer (fetch the file itself with `git lfs pull`)"
    if start.startswith((b"\x80", b"PK")):
        return "a pickle, as PyTorch writes"
    if start.startswith(b"\x89HDF"):
        return "an HDF5 file, as Keras writes (give its name the ending .h5, and choose model=notebook or a backbone)"
    return " ".join(str(error).split())


def _listed(names: list[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
