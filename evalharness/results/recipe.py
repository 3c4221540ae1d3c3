"""The recipe: everything that the numbers depend on, and its fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness import __version__
from evalharness.config import CUSTOM_SIZES, RunConfig
from evalharness.records import Dataset, MapSpec, WeightsSource


def build_recipe(
    config: RunConfig, dataset: Dataset, source: WeightsSource, classes: Sequence[str], specs: Sequence[MapSpec]
) -> dict[str, Any]:
    """Gathers what the stored numbers depend on; names and paths of files are not among it, their digests are.

    Args:
        config: The validated config.
        dataset: The rows and the digest of their images.
        source: The weights file.
        classes: In the order of the outputs.
        specs: The maps.

    Returns:
        Plain nested values.
    """
    model = config.model
    return {
        "package_version": __version__,
        "dataset": {"digest": dataset.digest, "num_rows": len(dataset.samples), "classes": list(dataset.classes)},
        "model": {
            "weights_sha256": source.sha256,
            "backbone": "builder" if model.builder else model.backbone,
            "epsilon": model.epsilon,
            "pooling": model.pooling,
            "builder": model.builder,
            "builder_args": model.builder_args,
            **{name: getattr(model, name) for name in CUSTOM_SIZES},
            "head": [layer.model_dump() for layer in model.head],
            "classes": list(classes),
            "output": model.output,
            "precision": model.precision,
        },
        "input": input_settings(config),
        "maps": {
            spec.map_id: {
                "method": spec.method,
                "target": spec.target,
                "options": dict(spec.options),
                "version": spec.version,
            }
            for spec in specs
        },
        "bootstrap": config.bootstrap.model_dump(),
        "seed": config.seed,
        "is_deterministic": True,
    }


def input_settings(config: RunConfig) -> dict[str, Any]:
    """How images become the model's input, as the recipe has it."""
    model = config.model.model_dump(mode="json", include={"image_size", "preprocessing"})
    return {**model, **config.dataset.model_dump(mode="json", include={"resize", "resize_size", "filter", "exif"})}


def fingerprint(recipe: Mapping[str, object]) -> str:
    """SHA-256 of the recipe as canonical JSON: equal recipes give equal numbers and may share results.

    Args:
        recipe: Plain values: mappings, sequences, strings, numbers, booleans, None.

    Returns:
        64 hexadecimal digits.
    """
    text = json.dumps(recipe, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
