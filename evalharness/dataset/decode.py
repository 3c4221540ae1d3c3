"""From the bytes of a file to an upright RGB image, or one sentence that says why not."""

import io
import os
import stat
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from evalharness.dataset.nearby_files import describe_missing
from evalharness.errors import DatasetError

# Only formats of photos: others bring decoders that nobody needs here, one of which starts an external program.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
# Pillow converts these to RGB by their definition. Alpha is dropped, not composited: what `convert("RGB")` does is
# what training pipelines saw.
CONVERTIBLE_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
SIXTEEN_BIT_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
# In these formats Pillow's 32-bit mode `I` holds 16-bit grey; elsewhere its values have no defined range.
SIXTEEN_BIT_FORMATS = frozenset({"PNG", "PPM"})
DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    # Damaged headers surface as these in some of Pillow's decoders.
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    struct.error,
    zlib.error,
)
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
LARGEST_PIXEL_BYTES = 8
METADATA_BYTES = 1 << 26

_limit_lock = threading.Lock()
_limit_users = 0
_limit_before: int | None = None


class ImageError(DatasetError):
    """One image file that cannot be used."""

    def __init__(self, kind: str, reason: str, path: Path) -> None:
        super().__init__(f"an image cannot be used: {reason}", where=path)
        self.kind = kind
        """A few words, such as `missing file`."""
        self.reason = reason
        """A sentence that does not repeat the path."""


def read_file(path: Path, max_pixels: int) -> tuple[bytes, os.stat_result]:
    """Reads an image file once.

    Args:
        path: The file.
        max_pixels: Files larger than an uncompressed image of so many pixels are refused unread.

    Returns:
        The content, and the file's status at the time of reading.

    Raises:
        ImageError: The file is missing, not a regular file, empty, unreadable, too large, or a Git LFS pointer.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "it is a folder" if path.is_dir() else "it is neither a file nor a folder"
            raise ImageError("not a file", kind, path)
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_size > LARGEST_PIXEL_BYTES * max_pixels + METADATA_BYTES:
                size = f"the file has {status.st_size / 1e9:.1f} GB"
                raise ImageError("too large", f"{size}, more than dataset.max_pixels={max_pixels} can need", path)
            content = file.read()
    except FileNotFoundError:
        raise ImageError("missing file", describe_missing(path), path) from None
    except OSError as error:
        raise ImageError("unreadable file", f"the file cannot be read: {error.strerror or error}", path) from error
    if not content:
        raise ImageError("empty file", "the file is empty (0 bytes)", path)
    if content.startswith(LFS_POINTER):
        raise ImageError("Git LFS pointer", "it is a Git LFS pointer, not the image: run `git lfs pull`", path)
    return content, status


def open_header(content: bytes, path: Path, max_pixels: int) -> Image.Image:
    """Opens an image in memory and checks what its header says; no pixel is decoded.

    Args:
        content: The bytes of the file.
        path: Named in messages.
        max_pixels: Larger images are refused.

    Raises:
        ImageError: Not an image, an image with too many pixels, or one in a mode without a defined meaning.
    """
    try:
        with _own_pixel_limit():
            image = Image.open(io.BytesIO(content), formats=_known_formats())
    except UnidentifiedImageError:
        raise ImageError("not an image", _describe_unidentified(content), path) from None
    except DECODE_ERRORS as error:
        raise ImageError("damaged image", f"its header cannot be read: {_one_line(error)}", path) from error
    check_pixels(image.width, image.height, max_pixels, path)
    is_sixteen_bit = image.mode == "I" and image.format in SIXTEEN_BIT_FORMATS
    if not (image.mode in CONVERTIBLE_MODES or image.mode in SIXTEEN_BIT_MODES or is_sixteen_bit):
        reason = f"its pixels ({image.format}, mode {image.mode}) have no defined range: save it with 8 or 16 bits"
        raise ImageError("unsupported pixels", reason, path)
    return image


def check_pixels(width: int, height: int, max_pixels: int, path: Path) -> None:
    """Refuses an image with more than `max_pixels` pixels.

    Raises:
        ImageError: There are more.
    """
    if width * height > max_pixels:
        reason = f"it has {width} x {height} pixels, more than dataset.max_pixels={max_pixels} allows"
        raise ImageError("too many pixels", reason, path)


def decode_pixels(image: Image.Image, path: Path) -> None:
    """Decodes the pixels of the first frame, all of them: only that finds a truncated file.

    Raises:
        ImageError: The file is truncated or damaged.
    """
    try:
        image.load()
    except DECODE_ERRORS as error:
        raise ImageError("damaged image", f"it cannot be decoded completely: {_one_line(error)}", path) from error


def convert_rgb(image: Image.Image) -> Image.Image:
    """Converts a decoded image to 8-bit RGB.

    16-bit grey is scaled by 1/257 and rounded, where Pillow would saturate; every other mode is converted as
    `convert("RGB")` does, which drops alpha.
    """
    if image.mode in SIXTEEN_BIT_MODES or image.mode == "I":
        grey = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    # Has no effect on RGB values, and Pillow warns about it.
    image.info.pop("transparency", None)
    return image.convert("RGB")


def read_orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 to 8; 1 where there is none that can be read, or none left to apply.

    The latter is every TIFF: Pillow turns it upright while decoding, and gives its size as upright from the start.
    """
    if image.format == "TIFF":
        return 1
    try:
        # The base class's method: the PNG plugin's own decodes the whole image first.
        value = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
    except DECODE_ERRORS:
        return 1
    return value if value in TRANSPOSITIONS else 1


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Undoes the rotation that an EXIF orientation stands for."""
    return image.transpose(TRANSPOSITIONS[orientation]) if orientation in TRANSPOSITIONS else image


def count_frames(image: Image.Image) -> int:
    """Counts the frames of an animated file; 1 for others, and where the later frames cannot be read."""
    try:
        with _own_pixel_limit():
            return int(getattr(image, "n_frames", 1))
    except DECODE_ERRORS:
        return 1


@contextmanager
def _own_pixel_limit() -> Iterator[None]:
    """Suspends Pillow's own limit, which is a module global with a warning below it, while a header is read.

    `max_pixels` takes its place. The last thread to leave restores the limit.
    """
    global _limit_users, _limit_before  # noqa: PLW0603
    with _limit_lock:
        if _limit_users == 0:
            _limit_before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _limit_users += 1
    try:
        yield
    finally:
        with _limit_lock:
            _limit_users -= 1
            if _limit_users == 0:
                Image.MAX_IMAGE_PIXELS = _limit_before


def _known_formats() -> tuple[str, ...]:
    known = tuple(name for name in FORMATS if name in Image.OPEN)
    if len(known) < len(FORMATS):
        Image.init()
        known = tuple(name for name in FORMATS if name in Image.OPEN)
    return known


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _describe_unidentified(content: bytes) -> str:
    if content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS:
        return "it is a HEIC image, which cannot be read: convert it to JPEG or PNG"
    return f"it is not an image in a format that can be read ({', '.join(_known_formats())})"
