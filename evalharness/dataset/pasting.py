"""Pastes the row's own cut-out of a category into its photo as the model sees it."""

from dataclasses import dataclass

import numpy as np

from evalharness.audit import BoolArray, find_photo, paste_cutout
from evalharness.audit.geometry import bounding_box
from evalharness.dataset.cutouts import Cutouts
from evalharness.dataset.photos import Photos
from evalharness.records import UInt8Array


@dataclass(frozen=True)
class PastedPhoto:
    """One photo with a cut-out in it, as the model sees it."""

    category: str
    cutout: str
    """Name of the cut-out."""
    clean: UInt8Array
    """RGB (height, width, 3)."""
    image: UInt8Array
    """The same with the cut-out."""
    mask: BoolArray
    """Where the cut-out is, (height, width)."""
    photo_pixels: BoolArray
    """Pixels of the photo; the others are padding. (height, width)"""


def paste_into(photos: Photos, row_id: str, category: str, cutouts: Cutouts, scale: tuple[float, float]) -> PastedPhoto:
    """Pastes the row's cut-out of a category into its photo; the same in every run.

    Where the photo is padded, the cut-out lies inside the photo.

    Args:
        photos: Of the rows.
        row_id: Of the photo.
        category: Of the cut-out.
        cutouts: To pick from.
        scale: Smallest and largest length of the cut-out, as part of the photo's shorter side.
    """
    image, placement = photos.load_input(row_id), photos.placement(row_id)
    name, cutout = cutouts.pick(row_id, category)
    photo_pixels = find_photo(placement)
    top, bottom, left, right = bounding_box(photo_pixels)
    window = (slice(top, bottom), slice(left, right))
    pasted = paste_cutout(image[window], cutout, row_id=row_id, name=category, scale_range=scale)
    whole, mask = image.copy(), np.zeros(image.shape[:2], np.bool_)
    whole[window], mask[window] = pasted.image, pasted.mask
    return PastedPhoto(category, name, image, whole, mask, photo_pixels)
