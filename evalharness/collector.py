"""Python's garbage collector, held while there is nothing for it to find: it takes seconds of a process otherwise."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_held() -> Iterator[None]:
    """Collects no cycles while the context lasts: for imports, and for building what stays."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def leave_alone() -> None:
    """Takes all that there is now for here to stay, and at its end lets the process go without looking for cycles.

    For the time after imports; does nothing a second time.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
        atexit.register(gc.freeze)
