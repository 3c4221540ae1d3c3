"""What the uploads of a comparison and of a repair have in common."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.tracking.client import connect, failures_told, http_limits, one_line
from evalharness.tracking.run_fields import MAX_TAG
from evalharness.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTE_TAG = "mlflow.note.content"


@contextmanager
def uploading(store: Store, what: str, folder: Path) -> Iterator["MlflowClient"]:
    """Gives a client; failures inside say that the folder is complete.

    Args:
        store: Where the run is.
        what: `comparison` or `repair`.
        folder: Of it.

    Raises:
        TrackingError: The store failed.
    """
    client = connect(store.uri)
    fix = f"The {what} is complete in {folder}: repeat the command once the store works"
    with (
        http_limits(timeout_s=60, max_retries=3),
        failures_told(f"{what} cannot be uploaded to MLflow", store.uri, fix),
    ):
        yield client


def log_files(client: "MlflowClient", run_id: str, folder: Path, target: Callable[[Path], str]) -> None:
    """Logs every file of the folder, each to the artifact folder that `target` tells of its path."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        client.log_artifact(run_id, str(path), target(path))


def log_values(
    client: "MlflowClient", run_id: str, metrics: Mapping[str, float | None], tags: Mapping[str, str]
) -> None:
    """Logs metrics, without those that are not known, and tags, each on one line but the description."""
    from mlflow.entities import Metric, RunTag

    client.log_batch(
        run_id,
        [Metric(name, float(value), 0, 0) for name, value in metrics.items() if value is not None],
        [],
        [RunTag(key, value if key == NOTE_TAG else one_line(value, MAX_TAG)) for key, value in tags.items()],
    )


def name_run(run: Mapping[str, Any]) -> str:
    """The MLflow id of a run that a manifest names, or its folder."""
    return str(run["run_id"] or run["folder"])
