"""One photo after the other: a thread of its own asks the model, and few may wait for it."""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import TypeVar

from evalharness.serving.refusals import queue_full

Result = TypeVar("Result")
SMOOTHING = 0.2
"""Weight of the newest duration in their running mean."""


class Worker:
    """Does one piece of work at a time, first come first served.

    Args:
        max_queue: Places: pieces of work that wait or are done.
    """

    def __init__(self, max_queue: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="judge")
        self._places = BoundedSemaphore(max_queue)
        self._max_queue = max_queue
        self._mean_s = 1.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue. It is taken before a photo is read, so that few are in memory.

        Raises:
            RefusalError: All are taken.
        """
        if not self._places.acquire(blocking=False):
            raise queue_full(max(1, math.ceil(self._max_queue * self._mean_s)))
        try:
            yield
        finally:
            self._places.release()

    def submit(self, work: Callable[[], Result]) -> "Future[Result]":
        """Puts work at the end of the queue."""
        return self._executor.submit(self._timed, work)

    def close(self) -> None:
        """Waits for what is being done; what has not begun is not."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _timed(self, work: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self._mean_s += SMOOTHING * (time.perf_counter() - start - self._mean_s)
