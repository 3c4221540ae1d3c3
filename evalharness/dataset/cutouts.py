"""Cut-outs: images with a transparent ground, to be pasted into photos; a user's own are read from a folder."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from evalharness.audit.seeding import generator_for
from evalharness.errors import DatasetError
from evalharness.folders import check_cutouts_are_there, list_files
from evalharness.records import UInt8Array

ENDINGS = (".png", ".webp")
MAX_LISTED = 5
MAX_PIXELS = 64_000_000
_NUMBERED = re.compile(r"(.*?)[-_ ]*\d*")


@dataclass(frozen=True)
class Cutouts:
    """What is pasted."""

    by_category: Mapping[str, Mapping[str, UInt8Array]]
    """By category, then name: RGBA (height, width, 4)."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and pixels."""
        digest = hashlib.sha256()
        for category, images in self.by_category.items():
            for name, pixels in images.items():
                digest.update(f"{category}\n{name}\n{pixels.shape}\n".encode("utf-8", "surrogatepass"))
                digest.update(np.ascontiguousarray(pixels).tobytes())
        return digest.hexdigest()

    def pick(self, row_id: str, category: str) -> tuple[str, UInt8Array]:
        """The cut-out that belongs to a row: its name and pixels, the same in every run."""
        images = self.by_category[category]
        names = list(images)
        name = names[int(generator_for("cutout", row_id, category).integers(len(names)))]
        return name, images[name]


def load_cutouts(folder: Path) -> dict[str, dict[str, UInt8Array]]:
    """Reads every PNG or WebP of a folder and of its sub-folders.

    A sub-folder's name is the category of the images in it. An image directly in the folder is of the category that its
    file name gives without a number at its end: `cat.png`, `cat-2.png` and `cat_03.png` are cats.

    Args:
        folder: With at least one image that has an alpha channel.

    Returns:
        By category, then by path inside the folder, both sorted: RGBA (height, width, 4), alpha not premultiplied.

    Raises:
        DatasetError: No such folder, no image in it, or images that cannot be read, have no alpha channel or show
            nothing; all of them are listed.
    """
    check_cutouts_are_there(folder)
    paths = list_files(folder, *ENDINGS)
    if not paths:
        raise DatasetError(
            "folder holds no cut-outs",
            expected="PNG or WebP images with a transparent ground",
            got=f"{sum(1 for _ in folder.iterdir())} other entries",
            where=folder,
            fix="Put each category into a sub-folder of its own, or name files like cat-1.png",
        )
    found: dict[str, dict[str, UInt8Array]] = {}
    problems: list[str] = []
    for path in paths:
        name = path.relative_to(folder).as_posix()
        image = _read(path)
        if isinstance(image, str):
            problems.append(f"{name}: {image}")
        else:
            found.setdefault(category_of(folder, path), {})[name] = image
    if problems:
        more = f" and {len(problems) - MAX_LISTED} more" if len(problems) > MAX_LISTED else ""
        raise DatasetError(
            f"{len(problems)} of {len(paths)} cut-outs cannot be used",
            got="; ".join(problems[:MAX_LISTED]) + more,
            where=folder,
            fix="Save them as RGBA with a transparent ground",
        )
    return dict(sorted(found.items()))


def category_of(folder: Path, path: Path) -> str:
    """The first sub-folder's name, or the file's without its number; the folder's own if that leaves nothing."""
    parts = path.relative_to(folder).parts
    if len(parts) > 1:
        return parts[0]
    numbered = _NUMBERED.fullmatch(path.stem)
    return (numbered[1] if numbered else path.stem) or folder.resolve().name


def _read(path: Path) -> UInt8Array | str:
    """The image, or what is wrong with it."""
    try:
        with Image.open(path) as image:
            if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
                return f"mode {image.mode}, without an alpha channel"
            if image.width * image.height > MAX_PIXELS:
                return f"it has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}"
            pixels = np.asarray(image.convert("RGBA"), np.uint8)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        return f"cannot be read ({type(error).__name__}: {error})"
    return pixels if pixels[..., 3].any() else "transparent throughout"
