"""The pre-trained model that names crops: its config, whether its weights fit, and its probabilities."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from evalharness import model as models
from evalharness.completed_config import complete_model
from evalharness.config import CHECKPOINTS, CUSTOM_SIZES, ModelConfig, RunConfig
from evalharness.errors import ConfigError, EvalHarnessError, WeightsError
from evalharness.model.checkpoints import read_checkpoint
from evalharness.model.load import check_format
from evalharness.model.stored_weights import StoredWeights, open_weights
from evalharness.records import FloatArray, UInt8Array, WeightsSource
from evalharness.weights_files import find_weights

_MODEL_KEY = re.compile(rf"(?<![\w/.-])model\.({'|'.join(ModelConfig.model_fields)})(?!\w|\.\w)")
TOLD = ("image_size", "preprocessing", "epsilon", "pooling")
"""What a checkpoint's own files say, whatever the run's model has."""


@dataclass(frozen=True)
class Namer:
    """The pre-trained model, found and checked; not loaded yet."""

    published: str
    """The run's backbone, whose published weights name crops where there are no others."""
    published_size: tuple[int, int]
    """(height, width) in pixels."""
    weights: WeightsSource | None = None
    """None: the published ones."""
    config: ModelConfig | None = None
    """Of the model with these weights."""

    def load(self) -> tuple[Callable[[UInt8Array], FloatArray], tuple[str, ...], tuple[int, int]]:
        """Gives the probabilities of images, the names of the outputs, and the (height, width) of the input.

        Raises:
            EvalHarnessError: The weights do not fit, or cannot be fetched.
        """
        if self.weights is None or self.config is None:
            size = self.published_size
            return models.load_published(self.published, size), models.imagenet_classes(), size
        classes = self.config.classes or ()
        try:
            model = models.load_model(self.config, classes=classes, source=self.weights)
        except EvalHarnessError as error:
            raise type(error)(f"what_is_it: {name_namer_keys(str(error))}") from error

        def probs_of(images: UInt8Array) -> FloatArray:
            return np.asarray(model.predict_probs(np.asarray(images, np.float32)), np.float32)

        return probs_of, classes, self.config.image_size


def find_namer(config: RunConfig) -> Namer | None:
    """The pre-trained model that the config names; None where nothing is to be named.

    Raises:
        EvalHarnessError: Its weights cannot be used, or there is no map whose hot regions could be named.
    """
    if not config.what_is_it.num_images:
        return None
    if not config.attention.methods:
        raise ConfigError(
            "what_is_it names what attention maps light up, and there are none",
            expected="at least one method",
            got="[]",
            where="attention.methods",
            fix="Name a method, such as attention.methods=[libra], or set what_is_it.num_images=0",
        )
    wanted = config.what_is_it.weights
    weights = None if wanted is None else find_weights(config, wanted, key="what_is_it.weights")
    built = namer_config(config, weights)
    if weights is not None and built is not None:
        check_namer(built, weights)
    return Namer(config.model.backbone, config.model.image_size, weights, built)


def namer_config(config: RunConfig, source: WeightsSource | None = None) -> ModelConfig | None:
    """The pre-trained model as the run's `model` section with what `what_is_it` changes; None for the published one.

    Args:
        config: Of the run.
        source: The weights, of which a checkpoint's files tell everything else; None: they are not looked at.

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
    if source is not None and (source.file_format in CHECKPOINTS or config.model.backbone in CHECKPOINTS):
        check_format(str(values["backbone"]), source)
        described = read_checkpoint(source.path, architecture=wanted.model.get("architecture")).description
        told = {**dict.fromkeys((*TOLD, *CUSTOM_SIZES)), **wanted.model, "classes": classes}
        values = complete_model({**values, **told}, described, source.path)
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
    if config.builder or config.backbone in ("from_file", *CHECKPOINTS):
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
