"""MLflow: the store, the runs in it, and the upload of finished results. Reads results folders and nothing else."""

from evalharness.tracking.comparison_upload import upload_comparison
from evalharness.tracking.find_results import fetch_results, find_run, is_run_id
from evalharness.tracking.links import compare_link, run_link
from evalharness.tracking.repair_upload import upload_repair
from evalharness.tracking.results_upload import upload_results
from evalharness.tracking.runs import mark_killed_runs, start_run
from evalharness.tracking.server import serve_ui
from evalharness.tracking.shared_view import save_view
from evalharness.tracking.store import Store, open_store, resolve_uri

__all__ = [
    "Store",
    "compare_link",
    "fetch_results",
    "find_run",
    "is_run_id",
    "mark_killed_runs",
    "open_store",
    "resolve_uri",
    "run_link",
    "save_view",
    "serve_ui",
    "start_run",
    "upload_comparison",
    "upload_repair",
    "upload_results",
]
