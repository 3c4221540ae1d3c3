"""The model's sizes and digests, stored so that a finished prediction can be scored again without the model."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalharness.manifest import read_json, write_json
from evalharness.records import VisionTransformer

MODEL = "model.json"


@dataclass(frozen=True, slots=True)
class ModelProperties:
    """Sizes, digests and device of the model that made the results."""

    backbone_sha256: str
    architecture: Mapping[str, object]
    grid_size: tuple[int, int]
    """Patch rows and patch columns."""
    patch_size: int
    num_layers: int
    num_heads: int
    hidden_size: int
    feature_size: int
    """Width of what the head reads."""
    device: str

    @classmethod
    def of(cls, model: VisionTransformer) -> "ModelProperties":
        """Those of a loaded model."""
        return cls(
            backbone_sha256=model.backbone_sha256,
            architecture=dict(model.architecture),
            grid_size=model.grid_size,
            patch_size=model.patch_size,
            num_layers=model.num_layers,
            num_heads=model.num_heads,
            hidden_size=model.hidden_size,
            feature_size=model.feature_size or model.hidden_size,
            device=model.device,
        )

    @classmethod
    def read(cls, folder: Path, fingerprint: str) -> "ModelProperties | None":
        """Those in a results folder of this recipe, if there are any."""
        path = folder / MODEL
        if not path.is_file():
            return None
        stored = read_json(path)
        if stored["fingerprint"] != fingerprint:
            return None
        rows, columns = stored["facts"]["grid_size"]
        return cls(**{**stored["facts"], "grid_size": (rows, columns)})

    def write(self, folder: Path, fingerprint: str) -> None:
        """Stores them beside the arrays."""
        write_json(folder / MODEL, {"fingerprint": fingerprint, "facts": self.plain})

    @property
    def plain(self) -> dict[str, Any]:
        """As JSON keeps them."""
        return {**asdict(self), "grid_size": list(self.grid_size)}
