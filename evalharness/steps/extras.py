"""What an evaluation reads besides photos, labels, regions and weights: cut-outs, and other models."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from evalharness import model as models
from evalharness import tracking
from evalharness.audit.seeding import generator_for
from evalharness.config.schema import ModelConfig, RunConfig, StressConfig
from evalharness.dataset.cutouts import load_cutouts
from evalharness.errors import ConfigError
from evalharness.records import UInt8Array, WeightsSource


@dataclass(frozen=True)
class Cutouts:
    """What is pasted."""

    by_category: Mapping[str, Mapping[str, UInt8Array]]
    """By category, then name: RGBA (height, width, 4)."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and pixels."""
        digest = hashlib.sha256()
        for category, images in self.by_category.items():
            for name, pixels in images.items():
                digest.update(f"{category}\n{name}\n{pixels.shape}\n".encode("utf-8", "surrogatepass"))
                digest.update(np.ascontiguousarray(pixels).tobytes())
        return digest.hexdigest()

    def pick(self, row_id: str, category: str) -> tuple[str, UInt8Array]:
        """The cut-out that belongs to a row: its name and pixels, the same in every run."""
        images = self.by_category[category]
        names = list(images)
        name = names[int(generator_for("cutout", row_id, category).integers(len(names)))]
        return name, images[name]


@dataclass(frozen=True)
class Extras:
    """Gathered and checked before a model is built."""

    cutouts: Cutouts | None = None
    """To be pasted; None: nothing is stressed."""
    reference: WeightsSource | None = None
    """The backbone before fine-tuning."""
    namer: WeightsSource | None = None
    """Of the pre-trained model that names what maps light up; None: none, or the published one."""
    namer_config: ModelConfig | None = None

    @property
    def digests(self) -> dict[str, str | None]:
        """Of what was read, for the request."""
        return {
            "cutouts": self.cutouts.digest if self.cutouts else None,
            "reference": self.reference.sha256 if self.reference else None,
            "namer": self.namer.sha256 if self.namer else None,
        }


def gather_extras(config: RunConfig) -> Extras:
    """Reads and checks what the config names.

    Raises:
        EvalHarnessError: A folder or a file cannot be used.
    """
    return Extras(
        gather_cutouts(config.stress),
        resolve_file(config, config.model.reference),
        resolve_file(config, config.what_is_it.weights if config.what_is_it.num_images else None),
        namer_config(config),
    )


def namer_config(config: RunConfig) -> ModelConfig | None:
    """The pre-trained model as the run's `model` section with what `what_is_it` changes; None for the published one.

    Raises:
        ConfigError: What it changes does not fit, or no weights are published for the backbone.
    """
    wanted = config.what_is_it
    if not wanted.num_images:
        return None
    if wanted.weights is None:
        if config.model.backbone not in models.PUBLISHED or config.model.builder:
            raise ConfigError(
                "no weights are published for this backbone",
                expected=", ".join(models.PUBLISHED),
                got=config.model.builder or config.model.backbone,
                where="what_is_it.download",
                fix="Set what_is_it.weights and what_is_it.classes instead",
            )
        return None
    classes = models.imagenet_classes() if wanted.classes == "imagenet" else wanted.classes
    values = {**config.model.model_dump(), **wanted.model, "weights": wanted.weights, "classes": classes}
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError("the pre-trained model does not fit", got=problems, where="what_is_it.model") from error


def resolve_file(config: RunConfig, weights: str | None) -> WeightsSource | None:
    """Finds the weights of another model than the evaluated one."""
    if weights is None:
        return None
    return models.resolve_weights(
        weights,
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir),
        cache_dir=config.runs_dir / "cache" / "weights",
    )


def gather_cutouts(config: StressConfig) -> Cutouts | None:
    """The cut-outs of the config: a folder's, or the bundled animals; None where nothing is stressed.

    Raises:
        DatasetError: The folder cannot be used.
    """
    if not config.num_images:
        return None
    if config.cutouts is not None:
        return Cutouts(load_cutouts(Path(config.cutouts).expanduser()))
    from evalharness.example.photos import cutouts

    return Cutouts(
        {name: {str(number): image for number, image in enumerate(images)} for name, images in cutouts().items()}
    )
