"""Resampling, tests and sample sizes: pure functions over arrays."""

from evalharness.statistics.bootstrap import (
    paired_bootstrap,
    percentile_interval,
    resample_counts,
    resampling_units,
    select_groups,
)
from evalharness.statistics.sample_size import num_images_to_tell
from evalharness.statistics.significance import holm, mcnemar_exact, sign_flip_p_value

__all__ = [
    "holm",
    "mcnemar_exact",
    "num_images_to_tell",
    "paired_bootstrap",
    "percentile_interval",
    "resample_counts",
    "resampling_units",
    "select_groups",
    "sign_flip_p_value",
]
