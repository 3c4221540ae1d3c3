"""The bounds of the campaign can be broken: readers that hang, die, fill memory or answer with a traceback are told."""

import os
import signal
import time

import numpy as np
import pytest
from bounded import CLEAR_REFS, MAX_MESSAGE, UnboundedError, Worker

from evalharness.errors import DatasetError

measures_memory = pytest.mark.skipif(not CLEAR_REFS.exists(), reason="this system does not tell the peak of memory")


def good(number):
    return number + 1


def told():
    raise DatasetError("a file cannot be read", got="nothing")


def untold():
    raise KeyError("images")


def fills(megabytes):
    """Memory that is gone again before the reader answers."""
    np.ones(megabytes << 17)


def fills_and_tells(megabytes):
    fills(megabytes)
    told()


def asks_for(terabytes):
    np.empty(terabytes << 40, np.uint8)


def hangs(seconds):
    time.sleep(seconds)


def dies():
    os.kill(os.getpid(), signal.SIGSEGV)


def floods():
    raise DatasetError("x" * (MAX_MESSAGE + 1))


@pytest.fixture(scope="module")
def own_worker():
    worker = Worker()
    yield worker
    worker.stop()


def test_results_and_messages_are_answers(own_worker):
    assert own_worker.answer(good, 1).kind == "result"
    outcome = own_worker.answer(told)
    assert (outcome.kind, outcome.text) == ("message", "a file cannot be read: got nothing.")
    assert 0 <= outcome.seconds < 1


@pytest.mark.parametrize(
    ("read", "arguments", "complaint"),
    [
        (untold, (), "KeyError: 'images'"),
        (asks_for, (1,), "MemoryError"),
        (dies, (), "exit code -11"),
        (floods, (), "a message of 20,00"),
        (good, ("text",), "TypeError"),
    ],
)
def test_what_no_reader_may_do(own_worker, read, arguments, complaint):
    with pytest.raises(UnboundedError, match=complaint):
        own_worker.answer(read, *arguments)
    assert own_worker.answer(good, 1).kind == "result"


@measures_memory
@pytest.mark.parametrize("read", [fills, fills_and_tells])
def test_memory_has_a_bound(own_worker, read):
    assert own_worker.answer(read, 100, max_megabytes=150).megabytes == pytest.approx(100, abs=20)
    with pytest.raises(UnboundedError, match=r"it took (1[89]|2[01])\d MB"):
        own_worker.answer(read, 200, max_megabytes=150)
    # What one reader took is not charged to the next.
    assert own_worker.answer(good, 1).megabytes < 20


def test_time_has_a_bound(own_worker):
    with pytest.raises(UnboundedError, match=r"it took 0\.[3-9] seconds"):
        own_worker.answer(hangs, 0.35, max_seconds=0.3)
    with pytest.raises(UnboundedError, match=r"no answer in 0\.6 seconds"):
        own_worker.answer(hangs, 60, max_seconds=0.3)
    assert own_worker.answer(good, 1).kind == "result"
