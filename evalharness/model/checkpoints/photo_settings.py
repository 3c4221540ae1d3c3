"""How photos become the model's input, from `preprocessor_config.json` or timm's `pretrained_cfg`."""

import math
from collections.abc import Mapping
from typing import Any

from evalharness.config import Normalization
from evalharness.errors import WeightsError
from evalharness.model.checkpoints.description import PhotoSettings
from evalharness.model.preprocessing import IMAGENET

FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""By Pillow's number, which `resample` is."""
SHORTEST_EDGE_PROCESSORS = ("Bit", "CLIP", "ConvNext")
"""Processors in which one number means the shorter edge; in others it means a square."""
HALF = (0.5, 0.5, 0.5)
EIGHT_BITS = 255
Size = tuple[int, int]


def photos_of_processor(processor: Mapping[str, Any] | None) -> PhotoSettings:
    """Reads the settings of an image processor of `transformers`.

    Args:
        processor: Of `preprocessor_config.json`; None: there is none.
    """
    if processor is None:
        return PhotoSettings()
    processor = processor.get("image_processor", processor)
    kind = str(processor.get("image_processor_type", processor.get("feature_extractor_type", "")))
    scaled, is_square = _size(processor.get("size"), is_edge=kind.startswith(SHORTEST_EDGE_PROCESSORS))
    cropped = _size(processor.get("crop_size"), is_edge=False)[0] if processor.get("do_center_crop") else None
    does_resize = processor.get("do_resize", True) and scaled is not None
    # One edge alone leaves photos of many sizes.
    image_size = cropped or (scaled if is_square else None)
    resample = processor.get("resample")
    return PhotoSettings(
        image_size=image_size,
        preprocessing=_scaling(processor),
        resize=(("squash" if is_square else "crop") if image_size else None) if does_resize else None,
        resize_size=scaled if does_resize and scaled != image_size and image_size else None,
        filter=FILTERS[resample] if isinstance(resample, int) and 0 <= resample < len(FILTERS) else None,
    )


def photos_of_timm(settings: Mapping[str, Any], img_size: object) -> PhotoSettings:
    """Reads timm's `pretrained_cfg`, as `timm.data.create_transform` does for evaluation.

    Args:
        settings: `input_size`, `crop_pct`, `crop_mode`, `interpolation`, `mean`, `std`.
        img_size: Of `model_args`, which comes before `input_size`.
    """
    channels = settings.get("input_size")
    image_size = _pair(img_size) or (_pair(channels[1:]) if isinstance(channels, list) else None)
    crop_pct, mode = settings.get("crop_pct"), settings.get("crop_mode", "center")
    scaled = None
    if image_size and crop_pct:
        scaled = (math.floor(image_size[0] / crop_pct), math.floor(image_size[1] / crop_pct))
    # timm cuts wide and tall inputs out of photos that are scaled bilinearly, whatever is set.
    is_uneven = image_size is not None and image_size[0] != image_size[1] and mode == "center"
    interpolation = "bilinear" if is_uneven else str(settings.get("interpolation"))
    return PhotoSettings(
        image_size=image_size,
        preprocessing=named_scaling(settings["mean"], settings["std"]) if {"mean", "std"} <= set(settings) else None,
        resize={"center": "crop", "squash": "squash"}.get(mode) if scaled else None,  # type: ignore[arg-type]
        resize_size=scaled if scaled != image_size and mode in ("center", "squash") else None,
        filter=interpolation if interpolation in FILTERS else None,
    )


def named_scaling(mean: Any, std: Any) -> str | Normalization:
    """The preprocessing (x / 255 - mean) / std, by its name where it has one.

    Args:
        mean: Of red, green, blue; or one number.
        std: The same.

    Raises:
        WeightsError: They are no numbers that photos can be scaled with.
    """
    try:
        values = Normalization.model_validate({"mean": _channels(mean), "std": _channels(std)})
    except ValueError as error:
        raise WeightsError(
            "preprocessing of the files cannot be used", expected="mean and std of red, green, blue, of pixels / 255",
            got=f"mean {mean}, std {std}", fix="Set model.preprocessing as in training",
        ) from error  # fmt: skip
    if (values.mean, values.std) == (HALF, HALF):
        return "vit"
    if (values.mean, values.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
        return "rescale"
    return "imagenet" if values == IMAGENET else values


def _scaling(processor: Mapping[str, Any]) -> str | Normalization | None:
    """None where pixels are scaled by another factor, which no preprocessing here does."""
    does_rescale, factor = processor.get("do_rescale", True), float(processor.get("rescale_factor", 1 / EIGHT_BITS))
    does_normalize = processor.get("do_normalize", True)
    mean, std = processor.get("image_mean"), processor.get("image_std")
    if does_rescale and not math.isclose(factor, 1 / EIGHT_BITS, rel_tol=1e-6):
        return None
    if does_normalize and (mean is None or std is None):
        return None
    if not does_normalize:
        return "rescale" if does_rescale else "raw"
    if does_rescale:
        return named_scaling(mean, std)
    return named_scaling(*([number / EIGHT_BITS for number in _channels(values)] for values in (mean, std)))


def _channels(values: Any) -> list[float]:
    return [float(number) for number in (values if isinstance(values, list | tuple) else [values] * 3)]


def _size(value: object, *, is_edge: bool) -> tuple[Size | None, bool]:
    """(height, width), and whether both are meant; else photos are scaled until their shorter edge is so long."""
    if isinstance(value, Mapping):
        if {"height", "width"} <= set(value):
            return (int(value["height"]), int(value["width"])), True
        edge = value.get("shortest_edge")
        return (None if edge is None else (int(edge), int(edge))), False
    return _pair(value), not is_edge


def _pair(value: object) -> Size | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, list | tuple) and len(value) == len(("height", "width")):
        return int(value[0]), int(value[1])
    return None
