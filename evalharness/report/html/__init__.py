"""The report: one HTML file with everything in it, for a browser without a network or MLflow's artifact viewer."""

from evalharness.report.html.compared import ComparisonContents, RunMaps
from evalharness.report.html.comparison import write_comparison_report
from evalharness.report.html.page import write_report

__all__ = ["ComparisonContents", "RunMaps", "write_comparison_report", "write_report"]
