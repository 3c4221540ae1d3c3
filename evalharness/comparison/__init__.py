"""Two or more runs on the same rows: what may be compared, what differs, and whether it is more than chance."""

from evalharness.comparison.alignment import (
    Alignment,
    ComparedRun,
    SettingDifference,
    align_probs,
    align_runs,
    list_differences,
)
from evalharness.comparison.audits import RegionChange, compare_regions
from evalharness.comparison.maps import MapSimilarity, coarser_grid, compare_maps, to_grid, why_same
from evalharness.comparison.pairs import ClassChange, Difference, PairedRun, compare_predictions, flips
from evalharness.comparison.sentences import describe_maps, describe_pair, describe_region

__all__ = [
    "Alignment",
    "ClassChange",
    "ComparedRun",
    "Difference",
    "MapSimilarity",
    "PairedRun",
    "RegionChange",
    "SettingDifference",
    "align_probs",
    "align_runs",
    "coarser_grid",
    "compare_maps",
    "compare_predictions",
    "compare_regions",
    "describe_maps",
    "describe_pair",
    "describe_region",
    "flips",
    "list_differences",
    "to_grid",
    "why_same",
]
