"""What a person looks at: figures of the verdicts, and photos beside their attention maps."""

from evalharness.report.audit import draw_pull, draw_quadrants
from evalharness.report.confusion import draw_confusion_matrix
from evalharness.report.faithfulness import draw_faithfulness
from evalharness.report.figures import draw_figures
from evalharness.report.html import write_report
from evalharness.report.overlay import STYLES, darken, overlay, side_by_side, upsample
from evalharness.report.per_class import draw_per_class
from evalharness.report.photo_sheets import AttentionPair, draw_contact_sheet, draw_prediction_grid
from evalharness.report.reliability import draw_reliability
from evalharness.report.selection import select_logged, select_rows
from evalharness.report.style import as_image, save_figure

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
    "overlay",
    "save_figure",
    "select_logged",
    "select_rows",
    "side_by_side",
    "upsample",
    "write_report",
]
