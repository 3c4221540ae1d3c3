"""Regions of many photos described, some photos at a time."""

from collections.abc import Mapping, Sequence

import numpy as np

from evalharness import inference
from evalharness.audit.hot_regions import HotRegion
from evalharness.console import progress_bar
from evalharness.evaluating.session import Session
from evalharness.records import FloatArray


def view_regions(
    session: Session, regions: Mapping[str, Sequence[HotRegion]], block: int, views: Sequence[str]
) -> FloatArray:
    """Describes regions by the tokens of one block; see `inference.view_regions`.

    Args:
        session: The evaluation.
        regions: By row id.
        block: From 1.
        views: At least one.

    Returns:
        In the order given, the views of each joined, of length 1, (n, views * D).
    """
    tokens_of = inference.BlockTokens(session.model, block)
    row_ids, size, found = list(regions), session.inputs.config.batch_size, []
    with progress_bar("Describing regions", len(row_ids)) as advance:
        for start in range(0, len(row_ids), size):
            batch = row_ids[start : start + size]
            images = session.photos.load_inputs(batch)
            found.append(inference.view_regions(tokens_of, images, [regions[row_id] for row_id in batch], views))
            advance(len(batch))
    return np.concatenate(found)
