"""A checkpoint of one of both libraries: told apart, described, and laid out for the Keras graph."""

from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import WeightsError
from evalharness.model.checkpoints import huggingface, timm
from evalharness.model.checkpoints.assembly import assemble
from evalharness.model.checkpoints.description import ModelDescription, Tensors
from evalharness.model.checkpoints.files import CheckpointFiles, find_checkpoint
from evalharness.model.stored_weights import StoredWeights


@dataclass(frozen=True)
class Checkpoint:
    """What the files say, and the weights."""

    description: ModelDescription
    path: Path
    _tensors: Tensors

    def weights(self, image_size: tuple[int, int] | None = None) -> StoredWeights:
        """Of the Keras graph, with positions for (height, width) pixels; None: as they are stored.

        Raises:
            WeightsError: A tensor is missing.
        """
        return assemble(self._tensors, self.description, image_size, self.path)


def kind_of_checkpoint(files: CheckpointFiles) -> str:
    """`huggingface` or `timm`, from the config, or without one from the tensors.

    Raises:
        WeightsError: Neither, or files that cannot be read.
    """
    config = files.config
    if config is None:
        if any(name.startswith(("blocks.", "timm_model.")) for name in files.read_tensors()):
            return "timm"
        raise WeightsError(
            "model cannot be told from its weights alone", expected="a config.json beside them",
            got=files.tensors[0].name, where=files.folder,
            fix="Name the folder that save_pretrained wrote, with all its files",
        )  # fmt: skip
    if "architecture" in config or config.get("model_type") == "timm_wrapper":
        return "timm"
    if "model_type" in config:
        return "huggingface"
    raise WeightsError(
        "config.json is neither of transformers nor of timm", expected="model_type, or architecture",
        got=", ".join(list(config)[:4]) or "nothing", where=files.folder,
    )  # fmt: skip


def read_checkpoint(path: Path, *, architecture: str | None = None) -> Checkpoint:
    """Reads what the files say; tensors are read when they are used.

    Args:
        path: A folder or a safetensors file.
        architecture: timm's name of the model where no config has it.

    Raises:
        WeightsError: The files cannot be used, and why.
    """
    files = find_checkpoint(path, "model.weights")
    if files is None:
        raise WeightsError("weights are no checkpoint of transformers or timm", got=path)
    tensors = files.read_tensors()
    if kind_of_checkpoint(files) == "timm":
        description, named = timm.describe(files.config or {}, tensors, architecture, path)
    else:
        description, named = huggingface.describe(files.config or {}, tensors, files.preprocessor, path)
    return Checkpoint(description, path, named)
