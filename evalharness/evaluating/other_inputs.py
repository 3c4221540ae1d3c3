"""What an evaluation reads besides photos, labels, regions and weights: cut-outs, and other models."""

import hashlib
import math
import re
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
from evalharness.errors import ConfigError, WeightsError
from evalharness.model.stored_weights import StoredWeights, open_weights
from evalharness.records import UInt8Array, WeightsSource

_MODEL_KEY = re.compile(rf"(?<![\w/.-])model\.({'|'.join(ModelConfig.model_fields)})(?!\w|\.\w)")


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
        EvalHarnessError: A folder or a file cannot be used, or there is no map whose hot regions could be named.
    """
    if config.what_is_it.num_images and not config.attention.methods:
        raise ConfigError(
            "what_is_it names what attention maps light up, and there are none",
            expected="at least one method",
            got="[]",
            where="attention.methods",
            fix="Name a method, such as attention.methods=[grad_attention], or set what_is_it.num_images=0",
        )
    cutouts = gather_cutouts(config.stress)
    reference = resolve_file(config, config.model.reference, "model.reference")
    wanted = config.what_is_it.weights if config.what_is_it.num_images else None
    namer, built = resolve_file(config, wanted, "what_is_it.weights"), namer_config(config)
    if namer is not None and built is not None:
        check_namer(built, namer)
    return Extras(cutouts, reference, namer, built)


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
        raise ConfigError(
            "the pre-trained model does not fit",
            got=name_namer_keys(problems),
            where="what_is_it.model, what_is_it.classes",
        ) from error


def check_namer(config: ModelConfig, source: WeightsSource) -> None:
    """Compares what the weights file alone tells of classes and image size, before hours of predicting.

    Raises:
        WeightsError: They are others than those of the config.
    """
    if config.builder or config.backbone == "from_file":
        return
    with open_weights(source) as stored:
        shapes = {name: array.shape for name, array in stored.backbone.items()}
        columns = _dense_columns(stored)
    num_classes = len(config.classes or ())
    # One sigmoid stands for two classes.
    if columns and num_classes not in columns and not (num_classes == 2 and 1 in columns):
        raise WeightsError(
            "the pre-trained model has another number of classes",
            expected=f"{num_classes}, as in what_is_it.classes",
            got=columns[-1],
            where=source.path,
            fix=f"Set what_is_it.classes to the {columns[-1]} names in the order of training",
        )
    if not {"embedding/kernel", "posembed_input/pos_embedding"} <= set(shapes):
        return
    patch_size, num_patches = shapes["embedding/kernel"][0], shapes["posembed_input/pos_embedding"][1] - 1
    height, width = config.image_size
    expected, side = (height // patch_size) * (width // patch_size), math.isqrt(num_patches)
    if num_patches != expected:
        size = side * patch_size if side**2 == num_patches else "[HEIGHT,WIDTH]"
        raise WeightsError(
            "the pre-trained model has another image size",
            expected=f"{expected} patches of {patch_size} px, as in {height} x {width} px",
            got=num_patches,
            where=source.path,
            fix=f"Set what_is_it.model={{image_size:{size}}}",
        )


def name_namer_keys(text: str) -> str:
    """A message about a model, with the keys of `what_is_it` instead of those of `model`."""

    def renamed(key: re.Match[str]) -> str:
        return f"what_is_it.{'' if key[1] in ('weights', 'classes') else 'model.'}{key[1]}"

    # The group model/head is of the run's model alone.
    return _MODEL_KEY.sub(renamed, text.replace("choose model/head=... or list", "list"))


def _dense_columns(stored: StoredWeights) -> list[int]:
    """The widths of the dense layers of the head, the output's last."""
    kernels = [layer.arrays.get("kernel", layer.arrays.get("0")) for layer in stored.head if layer.kind == "dense"]
    return [int(kernel.shape[-1]) for kernel in kernels if kernel is not None]


def resolve_file(config: RunConfig, weights: str | None, key: str) -> WeightsSource | None:
    """Finds the weights of another model than the evaluated one."""
    if weights is None:
        return None
    return models.resolve_weights(
        weights,
        tracking_uri=tracking.resolve_uri(config.tracking.uri, config.runs_dir),
        cache_dir=config.runs_dir / "cache" / "weights",
        key=key,
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
