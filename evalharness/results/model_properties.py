"""The model's sizes and digests, stored so that a finished prediction can be scored again without the model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalharness.records import VisionTransformer
from evalharness.results.manifest import read_json, write_json

FACTS = "model.json"


def model_facts(model: VisionTransformer) -> dict[str, Any]:
    """Sizes, digests and device of a loaded model, as plain values."""
    return {
        "backbone_sha256": model.backbone_sha256,
        "architecture": dict(model.architecture),
        "grid_size": list(model.grid_size),
        "patch_size": model.patch_size,
        "num_layers": model.num_layers,
        "num_heads": model.num_heads,
        "hidden_size": model.hidden_size,
        "device": model.device,
    }


def read_facts(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The facts in a results folder of this recipe, if there are any."""
    path = folder / FACTS
    if not path.is_file():
        return None
    stored = read_json(path)
    return stored["facts"] if stored["fingerprint"] == fingerprint else None


def write_facts(folder: Path, fingerprint: str, facts: Mapping[str, Any]) -> None:
    """Stores the facts beside the arrays."""
    write_json(folder / FACTS, {"fingerprint": fingerprint, "facts": dict(facts)})
