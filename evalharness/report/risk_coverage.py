"""The risk-coverage curve: how many verdicts can be believed, and how many of these are wrong."""

from matplotlib.figure import Figure

from evalharness.believing import RiskCoverage
from evalharness.report.style import BLUE, MUTED, VERMILLION, figure_style, new_figure

LEAST_TOP = 2.0
"""The error axis reaches this multiple of what is allowed, at least."""


@figure_style()
def draw_risk_coverage(
    by_risk: RiskCoverage, by_confidence: RiskCoverage, *, max_error: float, coverage: float, num_photos: int
) -> Figure:
    """The error among believed verdicts against their part of all, by the judge and by the confidence alone.

    Args:
        by_risk: Of the judge, each photo judged without itself.
        by_confidence: Of the confidence.
        max_error: What is allowed, 0 to 1.
        coverage: What the judge believes with its guarantee, 0 to 1; 0: nothing.
        num_photos: That the curves are of.
    """
    figure = new_figure(6.8, 4.9)
    axes = figure.subplots()
    for curve, colour, style, label in (
        (by_confidence, MUTED, "--", "by confidence alone"),
        (by_risk, BLUE, "-", "by the judge"),
    ):
        axes.plot(100 * curve.coverage, 100 * curve.risk, style, color=colour, linewidth=1.8, label=label)
    axes.axhline(100 * max_error, color=VERMILLION, linewidth=1, label=f"allowed: {100 * max_error:g} %")
    if coverage:
        axes.axvline(100 * coverage, color=BLUE, linewidth=1, linestyle=":", label="believed, with the guarantee")
    highest = max(by_risk.risk[-1], by_confidence.risk[-1], LEAST_TOP * max_error)
    axes.set(
        xlabel="Coverage (% of the verdicts that are believed, the least risky first)",
        ylabel="Error among them (% wrong)",
        xlim=(0, 100),
        ylim=(0, 110 * highest),
    )
    axes.set_title(f"{num_photos:,} photos, each judged as if it were new. Lower is better.", fontsize=9, color=MUTED)
    figure.suptitle("How many verdicts can be believed at which error")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", framealpha=0.9, edgecolor="none")
    return figure
