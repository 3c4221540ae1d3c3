"""Which maps can be believed: one row a map, three measures with their intervals."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evalharness.report.style import BLUE, MUTED, VERMILLION, figure_style, new_figure

if TYPE_CHECKING:
    # Behind it is TensorFlow, which drawing does not need.
    from evalharness.attention.faithfulness_verdict import MapFaithfulness

PANELS = (
    ("faithfulness", "Faithfulness", "insertion − deletion AUC (higher is better)"),
    ("saco", "SaCo", "−1 to 1 (higher is better)"),
    ("head_similarity", "Similarity under a randomised head", "rank correlation (lower: sees the class)"),
)
ROW_INCHES = 0.38


@figure_style()
def draw_faithfulness(trust: Sequence["MapFaithfulness"], *, max_head_similarity: float) -> Figure:
    """Draws every judged map; blue ones beat `random` and `center` and notice the head.

    Args:
        trust: The verdicts, in the order of the rows.
        max_head_similarity: Drawn as a line in the third panel.
    """
    figure = new_figure(11, 1.6 + ROW_INCHES * len(trust))
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (measure, title, unit) in zip(panels, PANELS, strict=True):
        _draw_panel(axes, trust, measure)
        axes.set(title=title, xlabel=unit)
    panels[0].axvline(0, color=MUTED, linewidth=0.8)
    panels[1].axvline(0, color=MUTED, linewidth=0.8)
    panels[2].axvline(max_head_similarity, color=MUTED, linewidth=0.8, linestyle="--")
    panels[0].set_yticks(range(len(trust)), [entry.map_id for entry in trust])
    panels[0].set_ylim(len(trust) - 0.5, -0.5)
    figure.suptitle(
        f"Can the maps be believed? {trust[0].num_images:,} images; blue: beats random and center, and sees the class; "
        "red: does not, or cannot tell"
    )
    return figure


def _draw_panel(axes: Axes, trust: Sequence["MapFaithfulness"], measure: str) -> None:
    for place, entry in enumerate(trust):
        interval = entry.measures[measure]
        colour = BLUE if entry.is_trusted else VERMILLION
        axes.plot([interval.ci_low, interval.ci_high], [place, place], color=colour, linewidth=2)
        axes.plot([interval.value], [place], "o", color=colour)
    axes.grid(axis="x", linewidth=0.4)
    axes.set_axisbelow(True)
