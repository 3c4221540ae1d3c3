import os
import socket
import subprocess
import sys
from dataclasses import replace

import mlflow
import psutil
import pytest
from tracking_results import with_package

from evalharness.config import TrackingConfig
from evalharness.errors import DatasetError, TrackingError
from evalharness.tracking import mark_killed_runs, start_run
from evalharness.tracking.runs import COLOURS

CONFIG = TrackingConfig()


@pytest.fixture
def ended(store, client):
    """Runs a block that raises, and gives the run as stored."""

    def run(error=None, config=CONFIG):
        block = start_run(store, name="実験 1", config=config)
        run_id = block.__enter__()
        assert client.get_run(run_id).info.status == "RUNNING"
        if error is None:
            block.__exit__(None, None, None)
        else:
            assert not block.__exit__(type(error), error, None)
        return client.get_run(run_id)

    return run


def test_a_finished_run(ended):
    run = ended()
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "実験 1"
    assert "error" not in run.data.tags
    assert (run.data.tags["host"], run.data.tags["pid"]) == (socket.gethostname(), str(os.getpid()))
    assert float(run.data.tags["pid_start"]) == pytest.approx(psutil.Process().create_time(), abs=0.01)


def test_runs_of_a_sweep_are_flat_and_share_a_tag(ended):
    config = TrackingConfig(sweep="s1", sweep_command="evalharness run -m a=1,2", tags={"who": "me", "pid": "1"})
    tags = ended(config=config).data.tags
    assert tags["sweep"] == "s1"
    assert tags["sweep_command"] == "evalharness run -m a=1,2"
    assert tags["who"] == "me"
    assert tags["pid"] == str(os.getpid())
    assert "mlflow.parentRunId" not in tags
    assert "sweep" not in ended().data.tags


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (DatasetError("3 images are missing:\n  a.jpg"), "FAILED", "3 images are missing: a.jpg"),
        (ValueError("odd"), "FAILED", "ValueError: odd"),
        (KeyboardInterrupt(), "KILLED", "interrupted"),
        (SystemExit(1), "FAILED", "SystemExit: 1"),
        (SystemExit(0), "FINISHED", None),
    ],
)
def test_how_a_run_ends(ended, error, status, reason):
    run = ended(error)
    assert run.info.status == status
    assert run.data.tags.get("error") == reason
    assert run.info.end_time is not None


def test_neighbours_have_different_colours(ended):
    colours = [ended().data.tags["mlflow.runColor"] for _ in range(len(COLOURS) + 2)]
    assert len(set(colours[: len(COLOURS)])) == len(COLOURS)
    assert colours[len(COLOURS) :] == colours[:2]


def test_the_error_of_the_block_is_not_hidden_by_a_store_that_is_gone(store, monkeypatch, capsys):
    block = start_run(store, name="a", config=CONFIG)
    block.__enter__()
    monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", gone)
    error = ValueError("odd")
    assert not block.__exit__(ValueError, error, None)
    assert "cannot be written" in " ".join(capsys.readouterr().err.split())


def test_an_end_that_cannot_be_written_is_told(store, monkeypatch):
    with (
        pytest.raises(TrackingError, match=r"FINISHED\) cannot be written: got gone"),
        start_run(store, name="a", config=CONFIG),
    ):
        monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", gone)


def gone(*_):
    raise OSError("gone")


EVALUATION = """
import sys, time
from pathlib import Path
from evalharness.config import TrackingConfig
from evalharness.tracking import open_store, start_run

store = open_store(TrackingConfig(experiment="killed"), Path(sys.argv[1]))
with start_run(store, name="a", config=TrackingConfig()) as run_id:
    print(run_id, flush=True)
    time.sleep(600)
"""


def test_a_killed_process_leaves_a_killed_run(store, client, runs_dir):
    process = subprocess.Popen(
        [sys.executable, "-c", EVALUATION, str(runs_dir)], stdout=subprocess.PIPE, text=True, env=with_package()
    )
    run_id = process.stdout.readline().strip()
    mark_killed_runs(store)
    assert client.get_run(run_id).info.status == "RUNNING"
    process.kill()
    process.communicate()
    assert mark_killed_runs(store) == 1
    run = client.get_run(run_id)
    assert run.info.status == "KILLED"
    assert str(process.pid) in run.data.tags["error"]
    assert mark_killed_runs(store) == 0


def create_running(store, client, **tags):
    here = {"host": socket.gethostname(), "pid": str(os.getpid()), "pid_start": str(psutil.Process().create_time())}
    return client.create_run(store.experiment_id, tags=here | tags).info.run_id


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({}, "RUNNING"),
        ({"pid_start": "1000000000.0"}, "KILLED"),
        ({"host": "another", "pid_start": "1000000000.0"}, "RUNNING"),
        ({"pid": "unreadable"}, "RUNNING"),
    ],
    ids=["alive", "number used again", "another machine", "tags of someone else"],
)
def test_which_runs_are_marked(store, client, tags, status):
    run_id = create_running(store, client, **tags)
    assert mark_killed_runs(store) == (status == "KILLED")
    assert client.get_run(run_id).info.status == status
    client.set_terminated(run_id)


def test_runs_without_our_tags_are_left_alone(store, client):
    run_id = client.create_run(store.experiment_id).info.run_id
    assert mark_killed_runs(store) == 0
    assert client.get_run(run_id).info.status == "RUNNING"


def test_a_run_cannot_start_in_an_experiment_that_is_not_there(store):
    with (
        pytest.raises(TrackingError, match=r"run cannot be created: got No Experiment with id=999"),
        start_run(replace(store, experiment_id="999"), name="a", config=CONFIG),
    ):
        pass
