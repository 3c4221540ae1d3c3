"""What regions look like to the model: in the photo, alone in it, and cut out."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from evalharness.audit import BoolArray
from evalharness.audit.hot_regions import HotRegion, crop_box
from evalharness.concepts import join_views, pool_tokens
from evalharness.console import progress_bar
from evalharness.evaluating.session import Session
from evalharness.inference import BlockTokens
from evalharness.records import FloatArray, UInt8Array


def view_regions(
    session: Session, regions: Mapping[str, Sequence[HotRegion]], block: int, views: Sequence[str]
) -> FloatArray:
    """Describes regions by the tokens of one block.

    `photo`: the mean of the region's L2-normalised patch tokens. `alone`: the first token of the photo with everything
    else in its mean colour. `crop`: the first token of the square around the region (as in ACE, Ghorbani et al. 2019).

    Args:
        session: The evaluation.
        regions: By row id.
        block: From 1.
        views: At least one.

    Returns:
        In the order given, the views of each joined, of length 1, (n, views * D).
    """
    tokens_of = BlockTokens(session.model, block)
    row_ids, size = list(regions), session.inputs.config.batch_size
    found: dict[str, list[FloatArray]] = {view: [] for view in views}
    with progress_bar("Describing regions", len(row_ids)) as advance:
        for start in range(0, len(row_ids), size):
            batch = row_ids[start : start + size]
            images = session.photos.load_inputs(batch)
            own = [(image, region) for row_id, image in zip(batch, images, strict=True) for region in regions[row_id]]
            if "photo" in found:
                _, patches = tokens_of(images)
                found["photo"] += [
                    pool_tokens(tokens, region.patches)
                    for row_id, tokens in zip(batch, patches, strict=True)
                    for region in regions[row_id]
                ]
            for view, show in SHOWN.items():
                if view in found:
                    found[view] += _first_tokens(tokens_of, [show(image, region) for image, region in own], size)
            advance(len(batch))
    return join_views([np.stack(values) for values in found.values()])


def _first_tokens(tokens_of: BlockTokens, images: Sequence[UInt8Array], size: int) -> list[FloatArray]:
    starts = range(0, len(images), size)
    return [token for start in starts for token in tokens_of(np.stack(images[start : start + size]))[0]]


def _alone(image: UInt8Array, region: HotRegion) -> UInt8Array:
    """The image with everything but the region in its mean colour."""
    shown: BoolArray = np.kron(region.patches, _patch(image, region)) > 0
    colour = np.rint(image.reshape(-1, 3).mean(axis=0)).astype(np.uint8)
    return np.where(shown[..., None], image, colour)


def _crop(image: UInt8Array, region: HotRegion) -> UInt8Array:
    """The square around the region, as large as the image."""
    height, width = image.shape[:2]
    top, bottom, left, right = crop_box(region.box, (height, width), margin=0, smallest=0)
    crop = Image.fromarray(image[top:bottom, left:right])
    return np.asarray(crop.resize((width, height), Image.Resampling.BILINEAR), np.uint8)


def _patch(image: UInt8Array, region: HotRegion) -> FloatArray:
    rows, columns = region.patches.shape
    return np.ones((image.shape[0] // rows, image.shape[1] // columns))


SHOWN = {"alone": _alone, "crop": _crop}
"""Views that take a pass a region."""
