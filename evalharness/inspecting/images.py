"""The images that a person names: found, read, and as the model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness import dataset as datasets
from evalharness.config import RunConfig
from evalharness.dataset.decode import FORMATS
from evalharness.dataset.scan import inspect_file
from evalharness.errors import ConfigError
from evalharness.folders import list_files
from evalharness.inspecting.inspection import Unreadable
from evalharness.records import ImageInfo, UInt8Array

ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".jp2", ".avif"}


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


def list_images(names: Sequence[str]) -> list[Path]:
    """The files named, and the images in the folders named, each folder sorted.

    Raises:
        ConfigError: Nothing by that name, or a folder without images.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            images = list_files(path, *ENDINGS)
            if not images:
                raise ConfigError("no images in the folder", expected=", ".join(FORMATS), got="none", where=path)
            found += images
        elif path.is_file():
            found.append(path)
        else:
            raise ConfigError("no such image", expected="an image file or a folder", got=name)
    return found
