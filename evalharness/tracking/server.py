"""`evalharness ui`: MLflow's own UI on the configured store, for this machine only."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import IO
from urllib.request import ProxyHandler, build_opener

from evalharness.config import TrackingConfig
from evalharness.console import console, note
from evalharness.errors import TrackingError
from evalharness.tracking.client import connect, failures_told, one_line
from evalharness.tracking.links import compare_link
from evalharness.tracking.store import ARTIFACTS, Store, database_path, is_server, open_store, resolve_uri

NUM_PORTS_TRIED = 50
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 10
MAX_LAST_WORDS = 1000
# Without the job runner the server is two processes instead of nine.
SERVER_SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def serve_ui(config: TrackingConfig, runs_dir: Path, host: str = "127.0.0.1", port: int = 5000) -> int:
    """Serves MLflow's UI until interrupted, and tells the address of the experiment's page.

    Args:
        config: Names the store and the experiment.
        runs_dir: Where the default store is.
        host: Address to bind; the loopback keeps other machines out.
        port: The first to try; a taken one is passed over.

    Returns:
        The exit code: 0.

    Raises:
        TrackingError: Nothing was logged yet, or the server does not start or ends by itself.
    """
    store = _open_filled(config, runs_dir)
    if store.is_server:
        _tell(f"the store is a tracking server with a UI of its own: {store.shown_uri}{compare_link(store)}")
        return 0
    free_port = _free_port(host, port)
    if free_port != port:
        note(f"port {port} is taken, using {free_port}")
    with _interrupted_by_termination(), _server(store, runs_dir, host, free_port) as server:
        try:
            _wait_until_ready(server, f"http://{host}:{free_port}")
            _tell(f"MLflow UI: http://{host}:{free_port}{compare_link(store)}")
            note("Ctrl-C ends it")
            server.process.wait()
            raise TrackingError("MLflow UI ended by itself", got=server.last_words())
        except KeyboardInterrupt:
            note("MLflow UI ended")
            return 0


def _open_filled(config: TrackingConfig, runs_dir: Path) -> Store:
    """The store, if there is a run to look at; nothing is created."""
    uri = resolve_uri(config.uri, runs_dir)
    empty = TrackingError(
        "nothing to show: no run was logged yet",
        where=runs_dir if config.uri is None else "tracking.uri",
        fix="Evaluate first (`evalharness run ...`), or name the store with runs_dir= or tracking.uri=",
    )
    database = database_path(uri)
    if database is not None and not database.exists():
        raise empty
    if is_server(uri):
        return open_store(config, runs_dir)
    with failures_told("tracking store cannot be opened", uri, "Check the path, or set another tracking.uri="):
        client = connect(uri)
        if client.get_experiment_by_name(config.experiment) is None:
            names = [experiment.name for experiment in client.search_experiments() if experiment.name != "Default"]
            if not names:
                raise empty
            raise TrackingError(
                "no such experiment",
                expected=f"one of {', '.join(names)}",
                got=config.experiment,
                where="tracking.experiment",
            )
    return open_store(config, runs_dir)


def _tell(line: str) -> None:
    """Prints a line with an address, which must not be wrapped."""
    console.print(line, soft_wrap=True, markup=False)


def _free_port(host: str, first: int) -> int:
    for port in range(first, min(first + NUM_PORTS_TRIED, 65536)):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            if os.name == "posix":
                # A port that a server left a moment ago counts as free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise TrackingError(
        "no free port for the UI", got=f"{first} to {first + NUM_PORTS_TRIED - 1} taken", fix="Set another port="
    )


@dataclass(frozen=True, slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    """What the server prints, kept for the case that it fails."""

    def last_words(self) -> str:
        self.output.seek(0)
        return one_line(self.output.read().decode(errors="replace")[-MAX_LAST_WORDS:], MAX_LAST_WORDS)


@contextmanager
def _server(store: Store, runs_dir: Path, host: str, port: int) -> Iterator[_Server]:
    """The running server; it and its workers are ended with the block."""
    database = database_path(store.uri)
    artifacts = ((database.parent if database else runs_dir.absolute()) / ARTIFACTS).as_uri()
    options = {
        "--host": host,
        "--port": str(port),
        "--workers": "1",
        "--default-artifact-root": artifacts,
        "--uvicorn-opts": "--log-level warning",
    }
    command = [sys.executable, "-m", "mlflow", "server", *chain.from_iterable(options.items()), "--no-serve-artifacts"]
    # The URI goes by the environment: it may hold a password, and command lines are public.
    environment = {**os.environ, **SERVER_SETTINGS, "MLFLOW_BACKEND_STORE_URI": store.uri}
    with TemporaryFile() as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield _Server(process, output)
        finally:
            _end_with_workers(process)


def _end_with_workers(process: subprocess.Popen[bytes]) -> None:
    import psutil

    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with _gone_is_fine():
            member.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_TIMEOUT_S)
    for member in alive:
        with _gone_is_fine():
            member.kill()
    process.wait()


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    import psutil

    try:
        yield
    except psutil.NoSuchProcess:
        return


@contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Ends the block on SIGTERM as on Ctrl-C, so that the server does not outlive the command."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _wait_until_ready(server: _Server, address: str) -> None:
    # A proxy of the environment is not for this machine.
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + START_TIMEOUT_S
    while server.process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(f"{address}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise TrackingError("MLflow UI did not start", got=server.last_words() or "no answer", where=address)
