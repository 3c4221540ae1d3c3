import os
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import mlflow
import pytest

from evalharness.config import TrackingConfig
from evalharness.errors import TrackingError
from evalharness.tracking import Store, open_store
from evalharness.tracking.client import connect, http_limits, shown_uri
from evalharness.tracking.server import _interrupted_by_termination
from evalharness.tracking.store import database_path, resolve_uri


def test_default_store_is_under_runs_dir_and_nowhere_else(store, runs_dir):
    before = mlflow.get_tracking_uri()
    again = open_store(TrackingConfig(), runs_dir)
    assert again == store
    assert store.uri == f"sqlite:///{runs_dir.as_posix()}/mlflow.db"
    assert (
        connect(store.uri).get_experiment(store.experiment_id).artifact_location == (runs_dir / "mlartifacts").as_uri()
    )
    assert mlflow.get_tracking_uri() == before
    assert list(Path.cwd().iterdir()) == []


def test_default_store_lets_several_processes_write(store, runs_dir):
    with closing(sqlite3.connect(runs_dir / "mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_telemetry_is_off(store):
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


@pytest.mark.parametrize("name", ["実験 of flowers", "100%20 sure?#1"])
def test_any_path_and_experiment_name(tmp_path, name):
    folder = tmp_path / name
    store = open_store(TrackingConfig(experiment=name), folder)
    client = connect(store.uri)
    run = client.create_run(store.experiment_id)
    client.log_text(run.info.run_id, "text", "a/b.txt")
    assert (folder / "mlflow.db").is_file()
    assert [path.read_text() for path in folder.rglob("b.txt")] == ["text"]
    assert database_path(store.uri) == folder / "mlflow.db"
    assert all(path.is_relative_to(folder) for path in tmp_path.rglob("*") if path.is_file())


def test_a_second_experiment_in_the_same_store(store, runs_dir):
    other = open_store(TrackingConfig(experiment="other"), runs_dir)
    assert other.uri == store.uri
    assert other.experiment_id != store.experiment_id


def test_relative_sqlite_uri_becomes_absolute(tmp_path):
    assert resolve_uri("sqlite:///some/mlflow.db", tmp_path) == f"sqlite:///{Path.cwd().as_posix()}/some/mlflow.db"


def test_server_uri_loses_its_slash(tmp_path):
    assert resolve_uri("http://localhost:5000/", tmp_path) == "http://localhost:5000"


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "/tmp/mlruns"])
def test_a_folder_is_refused(tmp_path, uri):
    with pytest.raises(TrackingError, match=r"cannot be a folder.*sqlite:///.*leave tracking.uri empty"):
        resolve_uri(uri, tmp_path)


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_refused(tmp_path, uri):
    with pytest.raises(TrackingError, match="would be lost"):
        resolve_uri(uri, tmp_path)


def test_deleted_experiment(store, runs_dir, client):
    gone = open_store(TrackingConfig(experiment="gone"), runs_dir)
    client.delete_experiment(gone.experiment_id)
    with pytest.raises(TrackingError, match=rf"gone was deleted.*restore --experiment-id {gone.experiment_id}"):
        open_store(TrackingConfig(experiment="gone"), runs_dir)


def test_moved_store(tmp_path):
    open_store(TrackingConfig(), tmp_path / "before")
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(TrackingError, match=r"the store was moved: expected .*before.mlartifacts, got .*after"):
        open_store(TrackingConfig(), tmp_path / "after")


def test_no_server_there(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(TrackingError, match=r"cannot be opened: got .*refused.*Start the server.*tracking\.uri="):
            open_store(TrackingConfig(uri=uri), tmp_path)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database, but long enough to be read as one" * 20)
    with pytest.raises(TrackingError, match="file is not a database"):
        open_store(TrackingConfig(), tmp_path)


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("ffffffffffff", ["of a newer MLflow than", "ffffffffffff", "mlflow server"]),
        ("0a8213491aaa", ["of an older MLflow than", "mlflow db upgrade sqlite:///"]),
    ],
)
def test_a_database_of_another_mlflow(store, runs_dir, tmp_path, revision, told):
    del store
    # In a file of its own: MLflow keeps what it has opened once.
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(runs_dir / "mlflow.db")) as database, closing(sqlite3.connect(other)) as copy:
        database.backup(copy)
        copy.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        copy.commit()
    with pytest.raises(TrackingError) as caught:
        open_store(TrackingConfig(uri=f"sqlite:///{other}"), runs_dir)
    for part in told:
        assert part in str(caught.value)
    assert "permissions" not in str(caught.value)


def test_a_runs_dir_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(TrackingError, match="cannot be opened"):
        open_store(TrackingConfig(), tmp_path / "runs")


def test_passwords_are_not_shown():
    uri = "postgresql://user:secret@host/mlflow"
    assert shown_uri(uri) == "postgresql://user:***@host/mlflow"
    assert "secret" not in Store(uri, "1", "a").shown_uri
    assert shown_uri("sqlite:////home/a@b/mlflow.db") == "sqlite:////home/a@b/mlflow.db"


def test_limits_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with http_limits(timeout_s=1, max_retries=2):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_termination_is_an_interrupt_while_the_ui_is_served():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _interrupted_by_termination():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
