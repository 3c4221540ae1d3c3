"""What regions look like to the model: in the photo, alone in it, and cut out."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from evalharness.audit.hot_regions import HotRegion, crop_box, spread_patches
from evalharness.concepts import join_views, pool_tokens
from evalharness.inference.tokens import BlockTokens
from evalharness.records import FloatArray, UInt8Array


def view_regions(
    tokens_of: BlockTokens, images: UInt8Array, regions: Sequence[Sequence[HotRegion]], views: Sequence[str]
) -> FloatArray:
    """Describes regions by the tokens of one block.

    `photo`: the mean of the region's L2-normalised patch tokens. `alone`: the first token of the photo with everything
    else in its mean colour. `crop`: the first token of the square around the region (as in ACE, Ghorbani et al. 2019).

    Args:
        tokens_of: Gives the tokens.
        images: As the model sees them, (n, height, width, 3).
        regions: Of each image, at least one in all.
        views: At least one.

    Returns:
        In the order given, the views of each joined, of length 1, (regions, views * D).
    """
    own = [(image, region) for image, found in zip(images, regions, strict=True) for region in found]
    described = []
    for view in views:
        if view == "photo":
            _, patches = tokens_of(images)
            described.append(
                [
                    pool_tokens(tokens, region.patches)
                    for tokens, found in zip(patches, regions, strict=True)
                    for region in found
                ]
            )
        else:
            shown = [SHOWN[view](image, region) for image, region in own]
            described.append(_first_tokens(tokens_of, shown, len(images)))
    return join_views([np.stack(values) for values in described])


def _first_tokens(tokens_of: BlockTokens, images: Sequence[UInt8Array], size: int) -> list[FloatArray]:
    starts = range(0, len(images), size)
    return [token for start in starts for token in tokens_of(np.stack(images[start : start + size]))[0]]


def _alone(image: UInt8Array, region: HotRegion) -> UInt8Array:
    """The image with everything but the region in its mean colour."""
    shown = spread_patches(region.patches, image) > 0
    colour = np.rint(image.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    return np.where(shown[..., None], image, colour)


def _crop(image: UInt8Array, region: HotRegion) -> UInt8Array:
    """The square around the region, as large as the image."""
    height, width = image.shape[:2]
    top, bottom, left, right = crop_box(region.box, (height, width), margin=0, smallest=0)
    crop = Image.fromarray(image[top:bottom, left:right])
    return np.asarray(crop.resize((width, height), Image.Resampling.BILINEAR), np.uint8)


SHOWN = {"alone": _alone, "crop": _crop}
"""Views that take a pass a region."""
