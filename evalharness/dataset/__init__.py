"""The CSV, the images behind it, and how an image file becomes the pixels that a model sees."""

from evalharness.dataset.batches import iterate_batches
from evalharness.dataset.decode import ImageError
from evalharness.dataset.images import load_image, load_photo
from evalharness.dataset.load import load_dataset
from evalharness.dataset.placement import Placement, place

__all__ = [
    "ImageError",
    "Placement",
    "iterate_batches",
    "load_dataset",
    "load_image",
    "load_photo",
    "place",
]
