"""Python's garbage collector is held where that is said, and nowhere longer."""

import gc
import subprocess
import sys

import pytest

from evalharness.collector import collection_held


def test_nothing_is_collected_while_it_is_held_and_again_afterwards():
    with collection_held():
        assert not gc.isenabled()
        with collection_held():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_enabled_again_after_a_failure():
    with pytest.raises(ValueError, match="inside"), collection_held():
        raise ValueError("inside")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collection_held():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_end_of_a_process_looks_for_no_cycles_but_ends_everything_else():
    script = (
        "import atexit, gc, weakref\n"
        "from evalharness.collector import leave_at_exit\n"
        "class Thing: pass\n"
        "kept = Thing()\n"
        "atexit.register(lambda: print('frozen', gc.get_freeze_count() > 1000))\n"
        "weakref.finalize(kept, print, 'finalised')\n"
        "leave_at_exit(); leave_at_exit()\n"
        "print('frozen', gc.get_freeze_count() > 1000)"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    first, *rest = process.stdout.splitlines()
    assert first == "frozen False"
    assert sorted(rest) == ["finalised", "frozen True"]
