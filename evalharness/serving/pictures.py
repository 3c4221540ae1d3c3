"""The last photos and their maps, drawn when the page asks for them."""

import io
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from PIL import Image

from evalharness import dataset as datasets
from evalharness.config import RunConfig
from evalharness.dataset.scan import inspect_file
from evalharness.records import FloatArray, UInt8Array

MAX_SIDE = 640
"""Pixels of the longer side of what is drawn."""
JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn of one verdict."""

    path: Path
    density: FloatArray | None


class RecentPictures:
    """The files of the last photos, in a folder that is emptied at start and end.

    Args:
        folder: Of its own.
        config: Of the evaluation: how photos lie on the model's input, and how maps are drawn.
        num_kept: Photos.
    """

    def __init__(self, folder: Path, config: RunConfig, num_kept: int) -> None:
        self._folder, self._config, self._num_kept = folder, config, num_kept
        self._pictures: OrderedDict[int, Picture] = OrderedDict()
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self.clear()

    def put(self, number: int, content: bytes) -> Path:
        """Writes the photo of a verdict to be, for the model to read."""
        path = self._folder / str(number)
        path.write_bytes(content)
        return path

    def keep(self, number: int, path: Path, density: FloatArray | None) -> None:
        """Keeps what was judged; the oldest goes."""
        with self._lock:
            self._pictures[number] = Picture(path, density)
            gone = self._pictures.popitem(last=False)[1] if len(self._pictures) > self._num_kept else None
        if gone is not None:
            gone.path.unlink(missing_ok=True)

    def has_photo(self, number: int) -> bool:
        """Whether the photo is still kept."""
        return number in self._pictures

    def has_map(self, number: int) -> bool:
        """Whether there is a map to draw."""
        picture = self._pictures.get(number)
        return picture is not None and picture.density is not None

    def draw_photo(self, number: int) -> bytes | None:
        """JPEG; None where it is no longer kept."""
        photo = self._load(number)
        return None if photo is None else _encode(photo[1], "JPEG", quality=JPEG_QUALITY)

    def draw_map(self, number: int) -> bytes | None:
        """PNG of the photo under its map; None where there is none, or it is no longer kept."""
        from evalharness.report.overlay import STYLES

        found = self._load(number)
        if found is None or found[0].density is None:
            return None
        picture, photo = found
        config = self._config
        placement = datasets.place_upright(
            inspect_file(picture.path, config.dataset).info, config.model.image_size, config.dataset
        )
        drawn = STYLES[config.report.style](
            photo, picture.density, density_max=config.report.density_max, extent=placement.extent
        )
        return _encode(drawn, "PNG", compress_level=3)

    def clear(self) -> None:
        """Removes all of them."""
        with self._lock:
            self._pictures.clear()
            for path in self._folder.iterdir():
                if path.name.isdigit():
                    path.unlink(missing_ok=True)

    def _load(self, number: int) -> tuple[Picture, UInt8Array] | None:
        picture = self._pictures.get(number)
        if picture is None:
            return None
        try:
            return picture, datasets.load_photo(picture.path, config=self._config.dataset, max_side=MAX_SIDE)
        except datasets.ImageError:
            # It went while this was about to read it.
            return None


def _encode(pixels: UInt8Array, file_format: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()
