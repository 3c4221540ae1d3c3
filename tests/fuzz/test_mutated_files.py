"""Files that people bring, damaged at random: each gives a result or one message, in bounded time, never a traceback.

A short campaign runs with the other tests; the long one is marked: `pytest -m exhaustive tests/fuzz`.
"""

import json
import shutil
import sys
import time
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "annotations"))
from annotated_flowers import CLASSES, WRITERS, images, samples

from evalharness.annotations import load_annotations
from evalharness.dataset.table import read_table
from evalharness.errors import EvalHarnessError
from evalharness.model.stored_weights import open_weights
from evalharness.model.weights_source import resolve_weights

MAX_SECONDS = 20
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}
ODD_VALUES = [
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**30, 2**63),
    *("", "1", "01", "x" * 1000, "\0", "\ud800"),
    *([], [[]], [1], [1, 2, 3, 4], [[1, 2], [3, 4], [5, 6]]),
    *({}, {"size": [12, 20], "counts": [240]}, {"size": [12, 20], "counts": "0"}),
]
PIECES = [b"\0", b'"', b"nan", b"1e999", b"-", b";", b"\n", b",", b"9" * 400, b"\xff\xfe", b"0 " * 7, b"<", b"[[["]

byte_edits = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
        st.tuples(st.just("set"), st.floats(0, 1), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.sampled_from(PIECES) | st.binary(max_size=20)),
        st.tuples(st.just("delete"), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("replace"), st.just(0.0), st.binary(max_size=300)),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content, edits):
    for kind, place, piece in edits:
        at = int(place * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind == "set":
            content = content[:at] + piece + content[at + 1 :]
        elif kind == "insert":
            content = content[:at] + piece + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + len(piece) :]
        else:
            content = piece
    return content


def answered(call):
    """Runs the call, whose only exception may be a message, and is not slow about it."""
    start = time.monotonic()
    with suppress(EvalHarnessError):
        call()
    assert time.monotonic() - start < MAX_SECONDS


def read_regions(path, annotations_format=None):
    found = load_annotations(
        path, samples=samples(), images=images(), classes=CLASSES, annotations_format=annotations_format
    )
    assert all(found.messages)


def paths_in(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_in(inner, (*path, key))


def put(document, path, value):
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def campaign(num_examples):
    """A short run for every change, or a long one."""
    long = pytest.param(num_examples, marks=pytest.mark.exhaustive, id="long")
    return [pytest.param(num_examples // 200, id="short"), long]


@pytest.mark.parametrize("num_examples", campaign(4000))
@pytest.mark.parametrize("writer", WRITERS)
def test_annotations_with_other_bytes(writer, num_examples, tmp_path):
    counter = iter(range(10**9))

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits, which=st.floats(0, 0.999), knows_format=st.booleans())
    def check(edits, which, knows_format):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        path = WRITERS[writer](folder)
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        chosen = files[int(which * len(files))]
        chosen.write_bytes(mutated(chosen.read_bytes(), edits))
        answered(lambda: read_regions(path, writer.split()[0] if knows_format else None))
        shutil.rmtree(folder)

    check()


@pytest.mark.parametrize("num_examples", campaign(4000))
@pytest.mark.parametrize("writer", [name for name in WRITERS if name.startswith("coco")])
def test_coco_with_other_values(writer, num_examples, tmp_path):
    path = WRITERS[writer](tmp_path)
    original = path.read_text()

    @settings(max_examples=num_examples, **QUIET)
    @given(data=st.data())
    def check(data):
        document = json.loads(original)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.sampled_from(list(paths_in(document))))
            put(document, place, deepcopy(data.draw(st.sampled_from(ODD_VALUES))))
        path.write_text(json.dumps(document))
        answered(lambda: read_regions(path))

    check()


@pytest.mark.parametrize("num_examples", campaign(8000))
def test_the_csv_with_other_bytes(num_examples, tmp_path):
    path = tmp_path / "list.csv"
    content = 'path,label,group\na/1.jpg,roses,x\n"b,2.jpg",tulips,\n花.jpg,daisy,y\n'.encode()

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits)
    def check(edits):
        path.write_bytes(mutated(content, edits))
        answered(lambda: read_table(path))

    check()


@pytest.mark.parametrize("num_examples", campaign(4000))
def test_weights_with_other_bytes(num_examples, tiny_run, tmp_path):
    path = tmp_path / "run.h5"
    content = tiny_run.weights.read_bytes()

    def read():
        source = resolve_weights(str(path), tracking_uri="", cache_dir=tmp_path)
        with open_weights(source) as stored:
            assert stored.num_layers

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits)
    def check(edits):
        path.write_bytes(mutated(content, edits))
        answered(read)

    check()
