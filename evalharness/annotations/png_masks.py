"""PNG masks: a folder for each category, and in it a mask for each image, named like the image."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from evalharness.annotations.parsed import Parsed, ParsedImage, faults_error
from evalharness.annotations.shapes import encode_mask

MAX_PIXELS = 64_000_000
FIX = "Save masks as PNG in grey, black and white, RGB or with a palette: zero is outside, anything else inside."
MODES = frozenset({"1", "L", "P", "I", "I;16", "RGB"})


def read_png_masks(path: Path) -> Parsed:
    """Reads `<path>/<category>/<image>.png`.

    `<image>` is the image's path, or the end of it, with or without its own ending: `dog/roses/0001.png` and
    `dog/roses/0001.jpg.png` belong to `roses/0001.jpg`. Zero (black; the first entry of a palette) is outside,
    any other value inside. The mask has the size of the file as stored.

    Args:
        path: The folder.

    Raises:
        DatasetError: Files that cannot be used; all are listed.
    """
    images: list[ParsedImage] = []
    faults: list[str] = []
    others = 0
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        relative = file.relative_to(path)
        if file.suffix.lower() != ".png":
            others += 1
        elif len(relative.parts) == 1:
            faults.append(f"{relative}: it lies in no folder of a category")
        else:
            try:
                mask = _read_mask(file)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                faults.append(f"{relative}: {error}")
                continue
            category, name = relative.parts[0], Path(*relative.parts[1:]).with_suffix("").as_posix()
            size = (mask.shape[0], mask.shape[1])
            images.append(ParsedImage(name, str(relative), ((category, encode_mask(mask)),), size, is_stem=True))
    if faults:
        raise faults_error(f"{len(faults)} masks in {path} cannot be used", faults, FIX)
    notes = (f"{others} files in {path} are not PNG files and were not read.",) if others else ()
    return Parsed(tuple(images), notes)


def _read_mask(file: Path) -> npt.NDArray[np.bool_]:
    with Image.open(file, formats=("PNG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"it has {image.width} x {image.height} pixels, more than {MAX_PIXELS:,}")
        if image.mode not in MODES:
            raise ValueError(f"its mode is {image.mode}: what counts, the colour or the transparency, cannot be told")
        values = np.asarray(image)
    mask: npt.NDArray[np.bool_] = values.any(axis=2) if values.ndim == 3 else values != 0
    return mask
