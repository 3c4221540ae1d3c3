"""Configs whose model is a checkpoint: what the config leaves open is read from the files of the model."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from evalharness.config import CHECKPOINTS, CUSTOM_SIZES, RunConfig, TrackingConfig, preprocessing_text
from evalharness.config.compose import compose_config, validate_config
from evalharness.console import note
from evalharness.errors import ConfigError, WeightsError
from evalharness.records import WeightsSource

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from evalharness.model.checkpoints import ModelDescription

FIXES = {
    "image_size": "pixels, such as model.image_size=224",
    "preprocessing": "as in training: raw, vit, rescale, imagenet, or {mean: [r,g,b], std: [r,g,b]}",
    "num_heads": "attention heads of a block; or model.architecture, timm's name of the model",
}
READS = {
    "cls": "the class token",
    "mean": "the mean of the patches",
    "cls_mean": "the class token and the mean of the patches",
    "cls_dist": "the class and the distillation token",
}
INTERCHANGEABLE = ("cls", "mean")
"""Poolings whose heads have weights of the same shape."""


def compose_completed(overrides: Sequence[str], presets: Path | None = None) -> RunConfig:
    """As `compose_config`, completed from the files of the model.

    Raises:
        ConfigError: An override that Hydra refuses, a value that does not fit, or one that the files do not tell.
        WeightsError: Files of the model that cannot be used.
    """
    return compose_config(overrides, presets, complete_config)


def validate_completed(composed: "DictConfig") -> RunConfig:
    """As `validate_config`, completed from the files of the model; raises as `compose_completed`."""
    return validate_config(composed, complete_config)


def complete_config(values: dict[Any, Any]) -> dict[Any, Any]:
    """Fills in what a checkpoint tells of the `model` and `dataset` sections; what is set stays, and is told.

    Args:
        values: The composed config.

    Returns:
        The same for a model that is no checkpoint.

    Raises:
        ConfigError: Something that is needed is neither set nor told.
        WeightsError: Files of the model that cannot be used.
    """
    model, dataset = values["model"], values["dataset"]
    if model.get("backbone") not in CHECKPOINTS:
        return values
    from evalharness import tracking
    from evalharness.model.checkpoints import find_checkpoint, read_checkpoint
    from evalharness.model.load import check_format
    from evalharness.model.weights_source import detect_format, find_path

    try:
        config = TrackingConfig.model_validate(values["tracking"])
    except ValidationError:
        # What does not fit is told with everything else.
        return values
    runs_dir = Path(str(values["runs_dir"]))
    path, _ = find_path(
        str(model["weights"]),
        tracking_uri=tracking.resolve_uri(config.uri, runs_dir),
        cache_dir=runs_dir / "cache" / "weights",
        key="model.weights",
    )
    if find_checkpoint(path, "model.weights") is None:
        check_format(model["backbone"], WeightsSource(str(model["weights"]), path, "", detect_format(path)))
    described = read_checkpoint(path, architecture=model.get("architecture")).description
    completed = complete_model(model, described, path)
    _tell(described, completed, path)
    return {**values, "model": completed, "dataset": _complete_dataset(dataset, described, completed)}


def complete_model(model: Mapping[str, Any], described: "ModelDescription", path: Path) -> dict[str, Any]:
    """Fills in the `model` section.

    Args:
        model: Plain values; None is left to the files.
        described: What they say.
        path: Of the checkpoint.

    Raises:
        ConfigError: Something that is needed is neither set nor told, or does not fit the head.
        WeightsError: There is no classifier.
    """
    if described.num_outputs is None:
        raise WeightsError(
            "checkpoint has no classifier", expected="a fine-tuned model with its head", got=described.architecture,
            where=path, fix="Before fine-tuning it is model.reference of another run",
        )  # fmt: skip
    patch, photos = described.patch_size, described.photos
    rows, columns = described.positions.grid_size
    told = {
        "image_size": photos.image_size or (rows * patch, columns * patch),
        "preprocessing": photos.preprocessing,
        "classes": described.classes,
        **{name: getattr(described, name) for name in ("num_heads", "epsilon", "pooling")},
    }
    missing = [name for name, value in told.items() if value is None and model.get(name) is None and name in FIXES]
    if missing:
        lines = "".join(f"\n  model.{name}: {FIXES[name]}" for name in missing)
        raise ConfigError(f"the files do not tell everything ({path}); set these:{lines}")
    pooling = model.get("pooling")
    if pooling not in (None, described.pooling) and {pooling, described.pooling} - set(INTERCHANGEABLE):
        raise ConfigError(
            "pooling does not fit the head", expected=f"{described.pooling}, as the files say", got=pooling,
            where="model.pooling",
        )  # fmt: skip
    given = {name: _told_or_set("model", name, model.get(name), value) for name, value in told.items()}
    return {**model, **{name: getattr(described, name) for name in CUSTOM_SIZES}, **given}


def _complete_dataset(
    dataset: Mapping[str, Any], described: "ModelDescription", model: Mapping[str, Any]
) -> dict[str, Any]:
    photos = described.photos
    told: dict[str, Any] = {"resize": photos.resize, "filter": photos.filter}
    given = {name: _told_or_set("dataset", name, dataset.get(name), value) for name, value in told.items()}
    # A size belongs to the resizing and the input that it was made for.
    is_theirs = given["resize"] == photos.resize and _pair(model["image_size"]) == photos.image_size
    size = photos.resize_size if is_theirs else None
    given["resize_size"] = _told_or_set("dataset", "resize_size", dataset.get("resize_size"), size)
    return {**dataset, **given}


def _told_or_set(section: str, name: str, wanted: Any, told: Any) -> Any:
    if wanted is None:
        return told
    if told is not None and _text(name, wanted) != _text(name, told):
        note(f"{section}.{name}={_text(name, wanted)} instead of {_text(name, told)}, which the files say")
    return wanted


def _text(name: str, value: Any) -> str:
    if name == "preprocessing":
        return preprocessing_text(value)
    if name in ("image_size", "resize_size"):
        height, width = _pair(value)
        return str(height) if height == width else f"[{height},{width}]"
    return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else f"{value}"


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _tell(described: "ModelDescription", model: Mapping[str, Any], path: Path) -> None:
    """One line on what was read, and what else a user should know."""
    text = partial(_text, "image_size")
    note(
        f"{path.name}: {described.architecture}, {described.num_layers} blocks of {described.hidden_size} with "
        f"{model['num_heads']} heads, patches of {described.patch_size} px, input of {text(model['image_size'])} px, "
        f"preprocessing {preprocessing_text(model['preprocessing'])}; the head reads {READS[model['pooling']]}"
    )
    height, width = _pair(model["image_size"])
    grid = (height // described.patch_size, width // described.patch_size)
    if grid != described.positions.grid_size:
        rows, columns = described.positions.grid_size
        note(f"positions of {rows} x {columns} patches are fitted to {grid[0]} x {grid[1]}, as the original does")
    if model["classes"] is None:
        note("the files name no classes: the outputs are taken in the order of dataset.classes")
