"""The one loader: from an image file to the pixels of the model's input, or of a drawing."""

from pathlib import Path

import numpy as np
from PIL import Image

from evalharness.config import DatasetConfig
from evalharness.dataset.decode import (
    ImageError,
    convert_rgb,
    decode_pixels,
    open_header,
    read_file,
    read_orientation,
    turn_upright,
)
from evalharness.dataset.placement import place
from evalharness.records import UInt8Array

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def load_image(path: Path, *, image_size: tuple[int, int], config: DatasetConfig) -> UInt8Array:
    """Loads an image as the model's input, before preprocessing.

    In this order: the first frame, RGB (see `convert_rgb`), the EXIF rotation if `exif=apply`, the resize policy with
    its filter. (TIFF files are turned upright even if `exif=ignore`: Pillow does so itself.) With `resize=squash` the
    result equals `Image.open(path).convert("RGB").resize((width, height), filter)` bit for bit; `pad` pads with black.

    Args:
        path: The file.
        image_size: (height, width) of the result, in pixels.
        config: The `dataset` section.

    Returns:
        RGB, shape (height, width, 3), 0 to 255.

    Raises:
        ImageError: The file cannot be used, and why.
    """
    photo = _open_photo(path, config)
    placement = place((photo.height, photo.width), image_size, config.resize, config.resize_size)
    height, width = placement.scaled_size
    if height * width > max(config.max_pixels, image_size[0] * image_size[1]):
        reason = f"its sides ({photo.width} x {photo.height}) are too unequal for dataset.resize=crop"
        raise ImageError("too many pixels", reason, path)
    scaled = photo.resize((width, height), FILTERS[config.filter])
    if placement.scaled_size == placement.image_size:
        return np.array(scaled)
    canvas = Image.new("RGB", (image_size[1], image_size[0]))
    canvas.paste(scaled, (placement.left, placement.top))
    return np.array(canvas)


def load_photo(path: Path, *, config: DatasetConfig, max_side: int | None = None) -> UInt8Array:
    """Loads an image for drawing: RGB, rotated as configured, in its own aspect ratio.

    Args:
        path: The file.
        config: The `dataset` section.
        max_side: The longer side is scaled down to this many pixels, never up; `None`: not at all.

    Returns:
        RGB, shape (height, width, 3), 0 to 255.

    Raises:
        ImageError: The file cannot be used, and why.
    """
    photo = _open_photo(path, config)
    if max_side is not None:
        photo.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.array(photo)


def _open_photo(path: Path, config: DatasetConfig) -> Image.Image:
    content, _ = read_file(path, config.max_pixels)
    with open_header(content, path, config.max_pixels) as image:
        decode_pixels(image, path)
        orientation = read_orientation(image) if config.exif == "apply" else 1
        return turn_upright(convert_rgb(image), orientation)
