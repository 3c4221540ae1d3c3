"""The CSV, the images behind it, and how an image file becomes the pixels that a model sees."""

from evalharness.dataset.batches import iterate_batches
from evalharness.dataset.decode import ImageError
from evalharness.dataset.images import load_image, load_photo
from evalharness.dataset.load import list_rows, load_dataset
from evalharness.dataset.photos import MAX_DRAWN_SIDE, Photos, applied_orientation, place_upright
from evalharness.dataset.placement import Placement, place

__all__ = [
    "MAX_DRAWN_SIDE",
    "ImageError",
    "Photos",
    "Placement",
    "applied_orientation",
    "iterate_batches",
    "list_rows",
    "load_dataset",
    "load_image",
    "load_photo",
    "place",
    "place_upright",
]
