"""Maps as densities: what is stored, drawn and measured."""

import numpy as np

from evalharness.records import FloatArray


def to_density(relevance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scales each map so that 1 is an average patch, and keeps the raw sum beside it.

    Raw relevance follows the scale of the logits; on one scale across runs, one run would look hotter for no reason.

    Args:
        relevance: (images, patches), non-negative.

    Returns:
        The density (images, patches): relevance / sum * patches; and the raw sums (images,). A map whose sum is zero or
        not finite has NaN density.
    """
    values = np.asarray(relevance, np.float64)
    sums = values.sum(axis=1)
    usable = np.isfinite(sums) & (sums > 0)
    scale = np.where(usable, values.shape[1] / np.where(usable, sums, 1), np.nan)
    density = np.where(usable[:, None], np.nan_to_num(values) * scale[:, None], np.nan)
    return density.astype(np.float32), sums
