"""The story of a bench: take the address, load the model, open the log, judge until somebody says stop."""

import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

from evalharness import __version__
from evalharness.collector import collection_held
from evalharness.config import RunConfig, ServeConfig
from evalharness.console import note, warn
from evalharness.errors import ConfigError
from evalharness.serving.access import Access, new_token
from evalharness.serving.app import Application
from evalharness.serving.bench import Bench
from evalharness.serving.judging import PhotoJudge
from evalharness.serving.pictures import RecentPictures
from evalharness.serving.verdict_log import NUM_RECENT, VerdictLog
from evalharness.serving.watching import FolderWatch

MAX_CONNECTIONS = 100
SHUTDOWN_S = 10


def serve(config: RunConfig, *, run: str, load: Callable[[], PhotoJudge], identity: dict[str, Any]) -> None:
    """Judges photos until it is interrupted.

    Args:
        config: Of the evaluation that judges, with the `serve` section.
        run: What the evaluation is called.
        load: Loads the model; called when it is known that there is an address and a log for it.
        identity: What else the log says of the model.

    Raises:
        EvalHarnessError: The address or the log is taken, or the model cannot be loaded.
    """
    folder = config.serve.log or config.runs_dir / "serve" / run
    with ExitStack() as stack:
        listener = stack.enter_context(take_address(config.serve))
        log = stack.enter_context(closing(VerdictLog(folder)))
        pictures = RecentPictures(folder / "recent", config, NUM_RECENT)
        with collection_held():
            judge = load()
            bench = stack.enter_context(closing(Bench(run, judge, log, pictures, config.serve)))
            bench.worker.submit(lambda: warm_up(judge, folder / "recent")).result()
        log.start({"run": run, "version": __version__, "keep": _absolute(config.serve.keep), **identity})
        watch = FolderWatch(bench, config.serve.watch, log.watched) if config.serve.watch else None
        if watch is not None:
            watch.start()
            stack.callback(watch.stop)
        listen(bench, watch, listener, config.serve)
    note(f"ended; the verdicts are in {log.path}")


def take_address(config: ServeConfig) -> socket.socket:
    """Binds the address before anything heavy is loaded; nobody is listened to yet.

    Raises:
        ConfigError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            "the address cannot be used", got=error.strerror or error, where=f"{config.host}:{config.port}",
            fix="Set serve.port or serve.host",
        ) from None  # fmt: skip
    return listener


def warm_up(judge: PhotoJudge, folder: Path) -> None:
    """Judges a grey card, so that no photo waits for the model to be compiled; nothing of it is logged."""
    path = folder / "0"
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(path, "PNG")
    try:
        judge.judge(path)
        judge.warm_up()
    finally:
        path.unlink()


def listen(bench: Bench, watch: FolderWatch | None, listener: socket.socket, config: ServeConfig) -> None:
    """Answers until SIGINT or SIGTERM."""
    port = listener.getsockname()[1]
    token = config.token or (None if config.is_loopback else new_token())
    server = uvicorn.Server(
        uvicorn.Config(
            Access(Application(bench, watch).build(), config, port, token),
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=SHUTDOWN_S,
            lifespan="off",
        )
    )
    for line in greeting(bench, config, port, token):
        note(line)
    if token is not None:
        warn("what is sent is not encrypted: use it in a network that you trust, or through `ssh -L`")
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def greeting(bench: Bench, config: ServeConfig, port: int, token: str | None) -> list[str]:
    """What is said when the bench is ready: the address first."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    if config.host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = socket.gethostname()
    shown = "" if token is None else f"#{token}"
    lines = [f"ready: http://{host}:{port}/{shown} ({bench.run}; Ctrl-C ends it)"]
    if bench.config.watch is not None:
        lines.append(f"watching {bench.config.watch}")
    lines.append(f"log: {bench.log.path}, {bench.log.next_id - 1} verdicts so far")
    if bench.config.keep is None:
        lines.append("photos are not kept: serve.keep=DIR keeps them for the next evaluation")
    return lines


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
