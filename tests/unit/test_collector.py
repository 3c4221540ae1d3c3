"""Python's garbage collector is held where that is said, and nowhere longer."""

import gc
import subprocess
import sys
import weakref

import pytest

from evalharness.collector import collection_held
from evalharness.model import configure_tensorflow


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


def run(script):
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return process.stdout.splitlines()


def test_what_was_imported_is_looked_through_once_and_what_came_later_is_collected():
    script = (
        "import gc, weakref\n"
        "from evalharness.collector import leave_alone\n"
        "class Thing: pass\n"
        "before = gc.get_freeze_count()\n"
        "leave_alone()\n"
        "frozen = gc.get_freeze_count()\n"
        "thing = Thing(); thing.itself = thing; weakref.finalize(thing, print, 'collected')\n"
        "leave_alone()\n"
        "del thing; gc.collect()\n"
        "print(before, frozen > 1000, gc.get_freeze_count() <= frozen)"
    )
    assert run(script) == ["collected", "0 True True"]


def test_the_end_of_a_process_looks_for_no_cycles_but_ends_everything_else():
    script = (
        "import atexit, gc, weakref\n"
        "from evalharness.collector import leave_alone\n"
        "class Thing: pass\n"
        "atexit.register(lambda: print('left', kept in gc.get_objects()))\n"
        "leave_alone()\n"
        "kept = Thing(); kept.itself = kept; weakref.finalize(kept, print, 'finalised')\n"
        "print('left', kept in gc.get_objects())"
    )
    assert sorted(run(script)) == ["finalised", "left False", "left True"]


def test_the_model_of_an_earlier_run_is_gone_when_the_next_one_begins():
    import tensorflow as tf

    model = tf.keras.Sequential([tf.keras.layers.Dense(2)])
    model(tf.zeros((1, 3)))
    gone = weakref.ref(model)
    del model
    configure_tensorflow(0)
    assert gone() is None
