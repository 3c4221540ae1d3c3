"""Runs from their start to their end, whatever the end is."""

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evalharness.config import TrackingConfig
from evalharness.console import warn
from evalharness.errors import EvalHarnessError, TrackingError
from evalharness.tracking.client import connect, failures_told, http_limits, one_line
from evalharness.tracking.store import Store, creation_lock

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SWEEP_TAG = "sweep"
ERROR_TAG = "error"
COLOUR_TAG = "mlflow.runColor"
# MLflow's own choice by run id gives neighbours the same colour. Distinct for colour-blind people too (Okabe and Ito).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
PID_START_TOLERANCE_S = 30
"""The kernel's clock of process starts moves when the machine's clock is set."""


@contextmanager
def start_run(store: Store, *, name: str, config: TrackingConfig) -> Iterator[str]:
    """Creates a run and ends it when the block does: finished, failed (with the reason as a tag), or killed.

    Runs are flat: those of a sweep share a tag, because MLflow's charts leave out nested runs.

    Args:
        store: Where.
        name: Shown in the UI.
        config: Its tags and sweep go to the run; what sets it apart in a sweep, before its name.

    Yields:
        The run's id.

    Raises:
        TrackingError: The run cannot be created, or its end not be written.
    """
    client = connect(store.uri)
    with (
        http_limits(timeout_s=30, max_retries=2),
        failures_told("run cannot be created", store.uri, "Repeat the command, or set another tracking.uri="),
        creation_lock(store.uri),  # members that start together would choose the same colour
    ):
        tags = _start_tags(config) | {COLOUR_TAG: _next_colour(client, store)}
        # The list cuts long names: what differs comes first.
        run_name = f"{config.sweep_member}: {name}" if config.sweep_member else name
        run = client.create_run(store.experiment_id, run_name=run_name, tags=tags)
    run_id: str = run.info.run_id
    try:
        yield run_id
    except BaseException as error:
        status, reason = _verdict(error)
        try:
            _end_run(client, store, run_id, status, reason)
        except TrackingError as unreachable:
            # The error that ended the block is the one to tell.
            warn(str(unreachable))
        raise
    _end_run(client, store, run_id, "FINISHED", "")


def mark_killed_runs(store: Store) -> int:
    """Marks runs of this machine as killed whose process is gone; runs of other machines are left alone.

    Returns:
        How many.

    Raises:
        TrackingError: The store cannot be read or written.
    """
    client = connect(store.uri)
    killed = 0
    with (
        http_limits(timeout_s=30, max_retries=2),
        failures_told("killed runs cannot be marked", store.uri, "Repeat the command, or set another tracking.uri="),
    ):
        for run in _running_here(client):
            tags = run.data.tags
            if _is_alive(tags.get("pid", ""), tags.get("pid_start", "")):
                continue
            reason = f"killed: process {tags['pid']} ended before the run did"
            client.set_tag(run.info.run_id, ERROR_TAG, reason)
            client.set_terminated(run.info.run_id, "KILLED")
            killed += 1
    return killed


def _start_tags(config: TrackingConfig) -> dict[str, str]:
    import psutil

    sweep = {SWEEP_TAG: config.sweep, "sweep_command": config.sweep_command}
    return {
        **config.tags,
        **{key: value for key, value in sweep.items() if value},
        "mlflow.user": _user(),
        "mlflow.source.name": "evalharness",
        "mlflow.source.type": "LOCAL",
        "host": socket.gethostname(),
        "pid": str(os.getpid()),
        "pid_start": f"{psutil.Process().create_time():.2f}",
    }


def _next_colour(client: "MlflowClient", store: Store) -> str:
    """A colour that none of the latest runs has; with all in use, the one used longest ago."""
    latest = client.search_runs(
        [store.experiment_id], max_results=len(COLOURS), order_by=["attributes.start_time DESC"]
    )
    used = [run.data.tags.get(COLOUR_TAG) for run in latest]
    return max(COLOURS, key=lambda colour: used.index(colour) if colour in used else len(COLOURS))


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        # A container may run under a number that has no name.
        return "unknown"


def _verdict(error: BaseException) -> tuple[str, str]:
    """Status and reason of a run whose block raised."""
    if isinstance(error, KeyboardInterrupt):
        return "KILLED", "interrupted"
    if isinstance(error, SystemExit) and error.code in {None, 0}:
        return "FINISHED", ""
    if isinstance(error, EvalHarnessError):
        return "FAILED", one_line(str(error))
    return "FAILED", one_line(f"{type(error).__name__}: {error}")


def _end_run(client: "MlflowClient", store: Store, run_id: str, status: str, reason: str) -> None:
    with (
        http_limits(timeout_s=10, max_retries=1),
        failures_told(
            f"end of run {run_id} ({status}) cannot be written",
            store.uri,
            "The results folder is not affected; the next command on the store of this machine marks the run as killed",
        ),
    ):
        try:
            if reason:
                client.set_tag(run_id, ERROR_TAG, reason)
        finally:
            client.set_terminated(run_id, status)


def _running_here(client: "MlflowClient") -> list["Run"]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    condition = f"attributes.status = 'RUNNING' AND tags.host = '{socket.gethostname()}'"
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(experiments, condition, page_token=token)
        runs += page
        token = page.token
        if not token:
            return [run for run in runs if "pid" in run.data.tags]


def _is_alive(pid: str, pid_start: str) -> bool:
    import psutil

    try:
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(pid_start)) <= PID_START_TOLERANCE_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, ValueError):
        # Nothing is known, so nothing is done.
        return True
