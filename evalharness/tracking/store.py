"""Opens the MLflow store that the config names, and creates the default one: SQLite and artifacts under `runs_dir`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from evalharness.config import TrackingConfig
from evalharness.errors import TrackingError
from evalharness.tracking.client import connect, failures_told, http_limits, shown_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
LOCK_TIMEOUT_S = 120
NETWORK_FILESYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "glusterfs", "lustre", "gpfs"}


@dataclass(frozen=True, slots=True)
class Store:
    """An open MLflow store and the experiment in it."""

    uri: str
    """As MLflow takes it, absolute; may hold a password: show `shown_uri`."""
    experiment_id: str
    experiment_name: str

    @property
    def shown_uri(self) -> str:
        """The URI without its password."""
        return shown_uri(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether the store is behind a tracking server, which has a UI of its own."""
        return is_server(self.uri)


def open_store(config: TrackingConfig, runs_dir: Path) -> Store:
    """Opens the store; creates the default database and the experiment where they are missing.

    Any number of processes may do so at once.

    Args:
        config: Names the store and the experiment.
        runs_dir: Where the default store is.

    Raises:
        TrackingError: The store cannot be reached or used, or the experiment was deleted or moved.
    """
    uri = resolve_uri(config.uri, runs_dir)
    fix = "Start the server" if is_server(uri) else "Check the path and its permissions"
    with (
        http_limits(timeout_s=10, max_retries=1),
        failures_told("tracking store cannot be opened", uri, f"{fix}, or set another tracking.uri="),
        creation_lock(uri),
    ):
        is_new = _is_missing(uri)
        client = connect(uri)
        experiment = client.get_experiment_by_name(config.experiment)
        if experiment is None:
            experiment = _create_experiment(client, config.experiment, _artifact_location(uri, runs_dir))
        if is_new:
            _allow_concurrent_writers(uri)
    _check_experiment(experiment, uri)
    return Store(uri, experiment.experiment_id, experiment.name)


def resolve_uri(uri: str | None, runs_dir: Path) -> str:
    """The configured URI, with a local SQLite file made absolute; default `runs_dir`/mlflow.db.

    Raises:
        TrackingError: A folder, or a database in memory.
    """
    if uri is None:
        return _sqlite_uri(runs_dir / DATABASE)
    if not uri.startswith("databricks") and urlsplit(uri).scheme in {"", "file"}:
        raise TrackingError(
            "tracking store cannot be a folder",
            expected="sqlite:///path/mlflow.db or http://host:port",
            got=uri,
            where="tracking.uri",
            fix="For a local store leave tracking.uri empty",
        )
    if not uri.startswith("sqlite:"):
        return uri.rstrip("/")
    database = _database_of(uri)
    if database in {None, "", ":memory:"}:
        raise TrackingError(
            "tracking store would be lost", expected="sqlite:///path/mlflow.db", got=uri, where="tracking.uri"
        )
    return _sqlite_uri(Path(str(database)))


def is_server(uri: str) -> bool:
    """Whether the store is behind a tracking server."""
    return urlsplit(uri).scheme in {"http", "https"} or uri.startswith("databricks")


def database_path(uri: str) -> Path | None:
    """The file of a SQLite store; None for any other."""
    return Path(str(_database_of(uri))) if uri.startswith("sqlite:") else None


@contextmanager
def creation_lock(uri: str) -> Iterator[None]:
    """Lets one process at a time create something in a SQLite store; other stores look after themselves."""
    path = database_path(uri)
    if path is None:
        yield
        return
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    try:
        with FileLock(lock, timeout=LOCK_TIMEOUT_S):
            yield
    except Timeout as error:
        raise TrackingError(
            "tracking store is being created by another process",
            got=f"no end of it in {LOCK_TIMEOUT_S} s",
            where=lock,
            fix="Repeat the command; if no other evaluation is running, remove that file first",
        ) from error


def _sqlite_uri(path: Path) -> str:
    from sqlalchemy.engine import URL, make_url

    database = path.absolute().as_posix()
    plain = f"sqlite:///{database}"
    # A path with % or ? must be escaped; any other is kept readable.
    return plain if make_url(plain).database == database else URL.create("sqlite", database=database).render_as_string()


def _database_of(uri: str) -> str | None:
    from sqlalchemy.engine import make_url

    return make_url(uri).database


def _is_missing(uri: str) -> bool:
    path = database_path(uri)
    return path is not None and not path.exists()


def _artifact_location(uri: str, runs_dir: Path) -> str | None:
    """Where artifacts of a new experiment go; left to a server. MLflow's default is the working directory."""
    if is_server(uri):
        return None
    database = database_path(uri)
    folder = database.parent if database else runs_dir.absolute()
    return (folder / ARTIFACTS).as_uri()


def _create_experiment(client: "MlflowClient", name: str, artifact_location: str | None) -> "Experiment":
    from mlflow.exceptions import MlflowException

    try:
        client.create_experiment(name, artifact_location=artifact_location)
    except MlflowException as error:
        # Another machine was faster.
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return client.get_experiment_by_name(name)


def _check_experiment(experiment: "Experiment", uri: str) -> None:
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"experiment {experiment.name} was deleted",
            where=shown_uri(uri),
            fix=f"Restore it (`mlflow experiments restore --experiment-id {experiment.experiment_id}` with "
            "MLFLOW_TRACKING_URI set to that store), or set another tracking.experiment=",
        )
    database, location = database_path(uri), experiment.artifact_location
    if database is None or not location.startswith("file:"):
        return
    folder = Path(url2pathname(urlsplit(location).path))
    if folder != database.parent / ARTIFACTS and not folder.exists():
        raise TrackingError(
            f"artifacts of experiment {experiment.name} are gone: the store was moved",
            expected=folder,
            got=database.parent,
            fix="Move it back, or set another tracking.experiment= for new runs",
        )


def _allow_concurrent_writers(uri: str) -> None:
    """Turns on the write-ahead log, which halves the time of concurrent runs; it does not work on network disks."""
    path = database_path(uri)
    if path is None or _filesystem(path) in NETWORK_FILESYSTEMS:
        return
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _filesystem(path: Path) -> str:
    import psutil

    holders = {Path(disk.mountpoint): disk.fstype for disk in psutil.disk_partitions(all=True)}
    return next((holders[folder].lower() for folder in path.absolute().parents if folder in holders), "")
