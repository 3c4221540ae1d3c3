"""Two or more runs on the same rows: what may be compared, what differs, and whether it is more than chance."""

from evalharness.comparison.alignment import (
    Alignment,
    ComparedRun,
    SettingDifference,
    align_probs,
    align_runs,
    list_differences,
)
from evalharness.comparison.audits import CategoryChange, compare_audits
from evalharness.comparison.maps import MapSimilarity, coarser_grid, compare_maps, to_grid, why_same
from evalharness.comparison.outcomes import RULE, UNTOLD, Difference, Judge, Outcome
from evalharness.comparison.pairs import (
    ClassChange,
    PairedRun,
    average_alike,
    compare_predictions,
    flips,
)
from evalharness.comparison.sentences import (
    describe_averages,
    describe_category_change,
    describe_maps,
    describe_pair,
    name_verdict,
    points_text,
)

__all__ = [
    "RULE",
    "UNTOLD",
    "Alignment",
    "CategoryChange",
    "ClassChange",
    "ComparedRun",
    "Difference",
    "Judge",
    "MapSimilarity",
    "Outcome",
    "PairedRun",
    "SettingDifference",
    "align_probs",
    "align_runs",
    "average_alike",
    "coarser_grid",
    "compare_audits",
    "compare_maps",
    "compare_predictions",
    "describe_averages",
    "describe_category_change",
    "describe_maps",
    "describe_pair",
    "flips",
    "list_differences",
    "name_verdict",
    "points_text",
    "to_grid",
    "why_same",
]
