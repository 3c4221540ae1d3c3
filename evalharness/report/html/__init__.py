"""The report: one HTML file with everything in it, for a browser without a network or MLflow's artifact viewer."""

from evalharness.report.html.comparison_contents import ComparisonContents, RunMaps
from evalharness.report.html.comparison_page import write_comparison_report
from evalharness.report.html.repair_page import write_repair_report
from evalharness.report.html.run_page import write_report

__all__ = ["ComparisonContents", "RunMaps", "write_comparison_report", "write_repair_report", "write_report"]
