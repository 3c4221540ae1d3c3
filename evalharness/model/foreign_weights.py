"""Weights in formats that are not read: what they are, and how they become a file that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.model.checkpoints.files import is_safetensors, lines_that_convert

MEMBERS_OF_TORCH = ("data.pkl", "version", "constants.pkl")
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """What a file holds, and the lines of Python that save it as Keras weights."""

    name: str
    fix: str


def saved_model_fix(folder: Path) -> str:
    """How a folder that `model.save` writes without an ending, or `tf.saved_model.save`, becomes a weights file."""
    return (
        f"In Python, after import vit_keras.layers: model = tf.keras.models.load_model('{folder}'). "
        "Save them once with model.save_weights('weights.h5')"
    )


def checkpoint_of(path: Path) -> ForeignFormat | None:
    """A TensorFlow checkpoint, which is several files that begin alike; None if it is none.

    Args:
        path: What the config names: the common beginning, one of the files, or their folder.
    """
    prefix = path
    if path.is_dir():
        found = sorted(path.glob("*.index"))
        if not found:
            return None
        prefix = found[-1].with_suffix("")
    elif path.suffix == ".index" or ".data-0" in path.name:
        prefix = path.with_name(path.name.removesuffix(".index").split(".data-0")[0])
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        return None
    return ForeignFormat(
        f"a TensorFlow checkpoint ({prefix.name}.index and .data-...)",
        "In Python, with the model built as in training: "
        f"model.load_weights('{prefix}').expect_partial(), then model.save_weights('{prefix.stem}.weights.h5')",
    )


def foreign_archive(path: Path, members: Sequence[str]) -> ForeignFormat | None:
    """An archive that Keras did not write."""
    if any(Path(name).name in MEMBERS_OF_TORCH for name in members):
        return ForeignFormat("a PyTorch checkpoint", lines_that_convert(path, None))
    if members and all(name.endswith(".npy") for name in members):
        return ForeignFormat(
            "NumPy arrays, as the published checkpoints of Vision Transformers are",
            "In Python, with the model built as in training: vit_keras.utils.load_weights_numpy(model, "
            f"'{path}', pretrained_top=False, num_x_patches=COLUMNS, num_y_patches=ROWS), then "
            f"model.save_weights('{path.stem}.weights.h5')",
        )
    return None


def foreign_file(path: Path, start: bytes) -> ForeignFormat | None:
    """A file that is neither HDF5 nor an archive, from how it begins and what it is called."""
    ending = path.suffix.lower()
    if is_safetensors(path):
        return ForeignFormat(
            "a safetensors file", "Give its name the ending .safetensors, and choose model=huggingface or model=timm"
        )
    if start.startswith(b"\x80") or (ending in (".pth", ".pt", ".ckpt", ".bin") and start.startswith(b"PK")):
        return ForeignFormat("a pickle, as PyTorch writes", lines_that_convert(path, None))
    return checkpoint_of(path)


def similar_names(path: Path) -> list[str]:
    """Weights files beside a path that leads to nothing whose names begin like it, in any case."""
    wanted = path.name.split(".")[0].casefold()
    if not wanted or not path.parent.is_dir():
        return []
    endings = (".h5", ".hdf5", ".keras")
    beside = (entry.name for entry in path.parent.iterdir() if entry.name.lower().endswith(endings))
    return sorted(name for name in beside if name.split(".")[0].casefold() == wanted)[:MAX_NAMED]
