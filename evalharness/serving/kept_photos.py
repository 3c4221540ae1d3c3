"""Photos kept for the next evaluation, each under the SHA-256 of its file."""

import os
import sys
from pathlib import Path

from evalharness.dataset.decode import open_header

ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}
"""By format; of others the format is the ending."""


def keep_photo(folder: Path, digest: str, content: bytes) -> Path:
    """Writes a photo whole, or not at all; one that is there stays.

    Args:
        folder: Made if it is not there.
        digest: SHA-256 of the content.
        content: Of a photo that was judged, so its pixels are not too many.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_header(content, folder / digest, max_pixels=sys.maxsize) as image:
        ending = ENDINGS.get(image.format or "", f".{(image.format or 'bin').lower()}")
    path = folder / f"{digest}{ending}"
    if not path.exists():
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    return path


def find_photos(folder: Path) -> dict[str, Path]:
    """The photos that are there, by digest."""
    return {path.name.partition(".")[0]: path for path in sorted(folder.glob("*.*")) if path.suffix != ".partial"}
