"""Whether annotations were drawn on a photo as it is stored, or as it is shown: upright, after its EXIF rotation."""

from evalharness.annotations.shapes import RunLengths, Size, decode, encode_mask
from evalharness.audit.geometry import turn_upright
from evalharness.records import ImageInfo

INVERSE = {6: 8, 8: 6}
"""The EXIF orientation that undoes another; the others undo themselves."""


def tell_frame(size: Size | None, info: ImageInfo, wanted: str) -> str | None:
    """The frame that regions of an image are in: `stored` or `upright`; None where nothing tells.

    Args:
        size: (height, width) of the image, where the annotations say.
        info: Of the file.
        wanted: `dataset.annotations_frame`.
    """
    if info.exif_orientation == 1:
        return "stored"
    if wanted != "auto":
        return wanted
    sizes = {frame: frame_size(info, frame) for frame in ("stored", "upright")}
    if size is None or sizes["stored"] == sizes["upright"]:
        return None
    return "upright" if size == sizes["upright"] else "stored"


def frame_size(info: ImageInfo, frame: str) -> Size:
    """(height, width) of the photo in a frame, in pixels."""
    is_swapped = frame == "upright" and info.is_turned
    return (info.width, info.height) if is_swapped else (info.height, info.width)


def to_stored(upright: RunLengths, orientation: int) -> RunLengths:
    """A mask drawn on the upright photo, in the pixels of the file as stored."""
    return encode_mask(turn_upright(decode(upright), INVERSE.get(orientation, orientation)))
