"""The report: one HTML file with everything in it, for a browser without a network or MLflow's artifact viewer."""

from evalharness.report.html.page import write_report

__all__ = ["write_report"]
