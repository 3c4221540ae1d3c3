"""What a person looks at: figures of the verdicts, and photos beside their attention maps.

Each is imported when it is asked for: charts and pages take seconds, and a picture of one photo needs neither.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalharness.report.audit import draw_pull, draw_quadrants
    from evalharness.report.confusion import draw_confusion_matrix
    from evalharness.report.faithfulness import draw_faithfulness
    from evalharness.report.figures import draw_figures
    from evalharness.report.html import write_report
    from evalharness.report.overlay import STYLES, darken, side_by_side, upsample
    from evalharness.report.per_class import draw_per_class
    from evalharness.report.photo_sheets import AttentionPair, draw_contact_sheet, draw_prediction_grid
    from evalharness.report.reliability import draw_reliability
    from evalharness.report.selection import select_logged, select_rows, select_samples
    from evalharness.report.style import as_image, save_figure, saving_in_background

__all__ = [
    "STYLES",
    "AttentionPair",
    "as_image",
    "darken",
    "draw_confusion_matrix",
    "draw_contact_sheet",
    "draw_faithfulness",
    "draw_figures",
    "draw_per_class",
    "draw_prediction_grid",
    "draw_pull",
    "draw_quadrants",
    "draw_reliability",
    "save_figure",
    "saving_in_background",
    "select_logged",
    "select_rows",
    "select_samples",
    "side_by_side",
    "upsample",
    "write_report",
]

_PLACES = {
    "AttentionPair": "photo_sheets",
    "STYLES": "overlay",
    "as_image": "style",
    "darken": "overlay",
    "draw_confusion_matrix": "confusion",
    "draw_contact_sheet": "photo_sheets",
    "draw_faithfulness": "faithfulness",
    "draw_figures": "figures",
    "draw_per_class": "per_class",
    "draw_prediction_grid": "photo_sheets",
    "draw_pull": "audit",
    "draw_quadrants": "audit",
    "draw_reliability": "reliability",
    "save_figure": "style",
    "saving_in_background": "style",
    "select_logged": "selection",
    "select_rows": "selection",
    "select_samples": "selection",
    "side_by_side": "overlay",
    "upsample": "overlay",
    "write_report": "html",
}
"""The module of each name."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
