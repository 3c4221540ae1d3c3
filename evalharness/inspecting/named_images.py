"""The image files that a person names; apart from what reads them, which takes seconds to import."""

from collections.abc import Sequence
from pathlib import Path

from evalharness.dataset.decode import FORMATS
from evalharness.errors import ConfigError
from evalharness.folders import list_files

ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".jp2", ".avif"}


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
