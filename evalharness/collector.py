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


def leave_at_exit() -> None:
    """Lets the process end without looking for cycles among all that it imported; whatever else ends, ends as ever."""
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
