"""Runs readers in a process of their own: what hangs, dies, or fills memory ends there, and is told."""

import gc
import multiprocessing
import os
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from evalharness.errors import EvalHarnessError

MAX_SECONDS = 20
MAX_MEGABYTES = 256
"""By which the resident memory may grow at its peak, for files of a few kilobytes."""
MAX_MESSAGE = 20_000
"""Characters."""
MAX_ADDRESSES = 16 << 30
"""Bytes of address space of the process: what is asked for and not yet touched counts in no peak, but is refused."""
CLEAR_REFS = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


@dataclass(frozen=True)
class Outcome:
    """What came of one file."""

    kind: str
    """`result`, `message`, or `traceback`."""
    text: str
    """The message, or the traceback."""
    seconds: float
    megabytes: float
    """By which resident memory grew at its peak; NaN where the system does not tell (it is not Linux)."""


class UnboundedError(AssertionError):
    """A reader that did what none may."""


class Worker:
    """A process that reads one file after the other; a new one takes the place of one that was lost."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def answer(
        self,
        read: Callable[..., object],
        *arguments: object,
        max_seconds: float = MAX_SECONDS,
        max_megabytes: float = MAX_MEGABYTES,
    ) -> Outcome:
        """Calls a function of a module.

        Raises:
            UnboundedError: It ended in anything but a result or a message, or not within its bounds.
        """
        if self._process is None or not self._process.is_alive():
            self._start()
        self._pipe.send((read, arguments))
        # Twice, so that what is merely slow is told with its time and keeps the process.
        if not self._pipe.poll(2 * max_seconds):
            self.stop()
            raise UnboundedError(f"no answer in {2 * max_seconds} seconds")
        try:
            outcome = self._pipe.recv()
        except EOFError:
            self._process.join()
            raise UnboundedError(f"the process died with exit code {self._process.exitcode}") from None
        check_bounds(outcome, max_seconds, max_megabytes)
        return outcome

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        # Until it has imported what the readers need, so that no reader is charged for that.
        self._pipe.send((_import_readers, ()))
        self._pipe.recv()


def check_bounds(outcome: Outcome, max_seconds: float, max_megabytes: float) -> None:
    """Refuses an outcome that is none of a reader.

    Raises:
        UnboundedError: A traceback, no message or an endless one, too slow, or too large.
    """
    if outcome.kind == "traceback":
        raise UnboundedError(outcome.text)
    if outcome.kind == "message" and not 0 < len(outcome.text) <= MAX_MESSAGE:
        raise UnboundedError(f"a message of {len(outcome.text):,} characters: {outcome.text[:300]}")
    if outcome.seconds > max_seconds:
        raise UnboundedError(f"it took {outcome.seconds:.1f} seconds")
    if outcome.megabytes > max_megabytes:
        raise UnboundedError(f"it took {outcome.megabytes:,.0f} MB")


def _import_readers() -> None:
    import file_readers  # noqa: F401


def _serve(pipe: Connection) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Bars and notes of the readers.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    while True:
        try:
            read, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(_measured(read, arguments))


def _measured(read: Callable[..., object], arguments: tuple[object, ...]) -> Outcome:
    gc.collect(0)
    before, start = _reset_peak(), time.monotonic()
    try:
        read(*arguments)
        kind, text = "result", ""
    except EvalHarnessError as error:
        kind, text = "message", str(error)
    except BaseException:
        kind, text = "traceback", traceback.format_exc()
    return Outcome(kind, text[:10_000_000], time.monotonic() - start, _peak() - before)


def _reset_peak() -> float:
    if CLEAR_REFS.exists():
        CLEAR_REFS.write_text(RESET_PEAK)
    return _peak()


def _peak() -> float:
    """The most megabytes that were resident since the last reset."""
    if not CLEAR_REFS.exists():
        return float("nan")
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
