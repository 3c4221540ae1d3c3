"""Tells what a stage will cost before it starts."""

import time
from collections.abc import Callable

from evalharness.console import note


def tell_cost(what: str, *, num_passes: int, run_once: Callable[[], object], passes_per_run: int) -> None:
    """Notes the number of forward passes and an estimate of the time.

    Args:
        what: What is about to be done, such as `pasting cut-outs into 20 photos`.
        num_passes: Forward passes in all.
        run_once: One run of the compiled model; it is called twice, since the first time compiles.
        passes_per_run: Images of that run.
    """
    run_once()
    start = time.perf_counter()
    run_once()
    seconds = (time.perf_counter() - start) / passes_per_run * num_passes
    length = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    note(f"{what}: {num_passes} forward passes, about {length}")
