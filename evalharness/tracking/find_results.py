"""Finds the results of a run in MLflow, and the run of a results folder."""

import re
from pathlib import Path

from evalharness.errors import TrackingError
from evalharness.manifest import MANIFEST
from evalharness.tracking.client import connect, failures_told, http_limits
from evalharness.tracking.store import Store

RUN_ID = re.compile(r"[0-9a-f]{32}")
RESULTS = "results"
KIND_TAG = "kind"


def is_run_id(text: str) -> bool:
    """Whether the text has the form of an MLflow run id."""
    return RUN_ID.fullmatch(text) is not None


def fetch_results(store: Store, run_id: str, cache_dir: Path) -> Path:
    """The results folder of a run: the one it was uploaded from if that is still there, else a download.

    Args:
        store: Where the run is.
        run_id: Of the evaluation.
        cache_dir: Downloads go to its folder `run_id`.

    Raises:
        TrackingError: No such run, or a run without results.
    """
    client = connect(store.uri)
    with (
        http_limits(timeout_s=60, max_retries=2),
        failures_told(f"run {run_id} cannot be read", store.uri, "Check the run id, and tracking.uri="),
    ):
        tags = client.get_run(run_id).data.tags
        folder = Path(tags.get("results_folder", ""))
        if "results_folder" in tags and _holds(folder, tags.get("fingerprint", "")):
            return folder
        target = cache_dir / run_id
        if not (target / RESULTS / MANIFEST).is_file() and client.list_artifacts(run_id, RESULTS):
            target.mkdir(parents=True, exist_ok=True)
            client.download_artifacts(run_id, RESULTS, str(target))
    if not (target / RESULTS / MANIFEST).is_file():
        raise TrackingError(
            "run has no results to compare",
            expected=f"an evaluation with the artifact {RESULTS}/{MANIFEST}",
            got=tags.get(KIND_TAG, "none"),
            where=f"run {run_id}",
            fix="Name the run of a finished evaluation, or its results folder",
        )
    return target / RESULTS


def find_run(store: Store, folder: Path, fingerprint: str | None = None) -> str | None:
    """The latest run of the store's experiment that was uploaded from this folder, if there is one.

    Args:
        store: Where the runs are.
        folder: The results folder.
        fingerprint: Of the recipe that the folder held then; None: any.
    """
    client = connect(store.uri)
    where = str(folder.absolute()).replace("'", "\\'")
    with failures_told("runs cannot be searched", store.uri, "Check tracking.uri="):
        found = client.search_runs(
            [store.experiment_id],
            f"tags.results_folder = '{where}'" + (f" AND tags.fingerprint = '{fingerprint}'" if fingerprint else ""),
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
    return str(found[0].info.run_id) if found else None


def _holds(folder: Path, fingerprint: str) -> bool:
    """Whether the folder still holds the results of that recipe, and not of a later one."""
    path = folder / MANIFEST
    return path.is_file() and f'"fingerprint": "{fingerprint}"' in path.read_text(encoding="utf-8")
