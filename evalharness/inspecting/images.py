"""The images that a person names: read, and as the model sees them."""

from dataclasses import dataclass
from pathlib import Path

from evalharness import dataset as datasets
from evalharness.config import RunConfig
from evalharness.dataset.scan import inspect_file
from evalharness.inspecting.inspection import Unreadable
from evalharness.records import ImageInfo, UInt8Array


@dataclass(frozen=True)
class LoadedImage:
    """One readable image."""

    path: Path
    info: ImageInfo
    pixels: UInt8Array
    """As the model sees it."""
    placement: datasets.Placement
    """Where the upright photo lies on the model's input."""
    orientation: int
    """The EXIF orientation that it is turned by first; 1: not at all."""


def load(path: Path, config: RunConfig) -> LoadedImage | Unreadable:
    """Reads an image, or tells why it cannot be read."""
    size = config.model.image_size
    try:
        info = inspect_file(path, config.dataset).info
        pixels = datasets.load_image(path, image_size=size, config=config.dataset)
    except datasets.ImageError as error:
        return Unreadable(path, error.reason)
    placement = datasets.place_upright(info, size, config.dataset)
    return LoadedImage(path, info, pixels, placement, datasets.applied_orientation(info, config.dataset))
