"""Photos as small JPEGs, as large as the size of the report allows."""

import io
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from evalharness.errors import EvalHarnessError
from evalharness.records import Extent, FloatArray, UInt8Array
from evalharness.report.overlay import drawn_aspect, fit, overlay

STEPS = ((256, 76), (240, 72), (224, 68), (192, 64), (160, 60), (128, 55), (112, 50), (96, 45))
"""Longer side in pixels and JPEG quality, the largest first."""
STATIC_QUALITY = 70
NUM_TRIED = 24
NUM_WORKERS = 2
BASE64 = 4 / 3
"""Characters per byte."""
SPREAD = 1.15
"""How much larger all photos may be than those tried."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One photo, small."""

    jpeg: bytes
    aspect: float
    """Width / height."""

    @property
    def base64(self) -> str:
        """As it stands in a page."""
        return b64encode(self.jpeg).decode("ascii")


@dataclass(frozen=True, slots=True)
class PhotoPlan:
    """How large photos are, found out from some of them."""

    mean_chars: tuple[float, ...]
    """Characters of a photo in the page, by step."""

    @property
    def least_chars(self) -> float:
        """Of a photo at the smallest step."""
        return self.mean_chars[-1]

    def step(self, num_photos: int, budget: float) -> int:
        """The largest step at which so many photos fit into so many characters; the smallest if none does."""
        fitting = [index for index, chars in enumerate(self.mean_chars) if chars * num_photos <= budget]
        return fitting[0] if fitting else len(STEPS) - 1


def plan_photos(row_ids: Sequence[str], load_photo: Callable[[str], UInt8Array]) -> PhotoPlan:
    """Tries every step on a few photos spread over all rows."""
    places = np.unique(np.linspace(0, len(row_ids) - 1, min(NUM_TRIED, len(row_ids))).astype(int))
    photos = [photo for place in places if (photo := try_photo(row_ids[place], load_photo)) is not None]
    if not photos:
        return PhotoPlan((0.0,) * len(STEPS))
    sizes = [[len(shrink(photo, index).jpeg) for photo in photos] for index in range(len(STEPS))]
    return PhotoPlan(tuple(float(np.mean(found)) * BASE64 * SPREAD for found in sizes))


def make_thumbnails(
    row_ids: Sequence[str], load_photo: Callable[[str], UInt8Array], step: int, budget: float
) -> list[Thumbnail | None]:
    """Shrinks the photos of all rows.

    Args:
        row_ids: Of the rows.
        load_photo: Gives RGB (height, width, 3) of a row id; where it fails, there is no photo.
        step: Index in `STEPS`.
        budget: Characters that all of them may take; where the first step takes more, the next one is tried.

    Returns:
        One per row; None where the photo could not be loaded, and from where on even the smallest do not fit.
    """

    def make(row_id: str) -> Thumbnail | None:
        photo = try_photo(row_id, load_photo)
        return None if photo is None else shrink(photo, step)

    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        thumbnails = list(pool.map(make, row_ids))
    sizes = np.cumsum([len(found.jpeg) * BASE64 if found else 0 for found in thumbnails])
    if not len(sizes) or sizes[-1] <= budget:
        return thumbnails
    if step + 1 < len(STEPS):
        return make_thumbnails(row_ids, load_photo, step + 1, budget)
    return [found if size <= budget else None for found, size in zip(thumbnails, sizes, strict=True)]


def try_photo(row_id: str, load_photo: Callable[[str], UInt8Array]) -> UInt8Array | None:
    """The photo, or None where it cannot be loaded any more: a report without it is better than none."""
    try:
        return load_photo(row_id)
    except (EvalHarnessError, OSError):
        return None


def shrink(photo: UInt8Array, step: int) -> Thumbnail:
    """The photo at a step; never enlarged, but that a line scan is drawn thicker than it is."""
    side, quality = STEPS[step]
    image = Image.fromarray(photo)
    aspect = image.width / image.height
    if drawn_aspect(aspect) != aspect:
        return Thumbnail(to_jpeg(Image.fromarray(fit(photo, side)), quality), drawn_aspect(aspect))
    image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return Thumbnail(to_jpeg(image, quality), aspect)


def to_jpeg(image: Image.Image, quality: int) -> bytes:
    """The bytes of a JPEG without metadata."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def draw_over(thumbnail: Thumbnail, density: FloatArray, density_max: float, extent: Extent) -> bytes:
    """The small photo under its map, as a JPEG; arguments as those of `overlay`."""
    with Image.open(io.BytesIO(thumbnail.jpeg)) as image:
        photo = np.asarray(image.convert("RGB"))
    pixels = overlay(photo, density, density_max=density_max, extent=extent)
    return to_jpeg(Image.fromarray(pixels), STATIC_QUALITY)
