"""The watched folder: files are taken once, when they are whole, and told when they cannot be read."""

import os
import time

import pytest
from stub_bench import judge_colour, photo, running_bench

from evalharness.errors import ConfigError
from evalharness.serving.watching import LOOKS_TO_TELL, FolderWatch


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "incoming"
    found.mkdir()
    return found


@pytest.fixture
def bench(tmp_path):
    with running_bench(tmp_path / "log", max_bytes=50_000) as running:
        yield running


@pytest.fixture
def watch(bench, folder):
    return FolderWatch(bench.bench, folder, set())


def images(bench):
    return [verdict["image"] for verdict in bench.log.verdicts_after(0)]


def test_a_file_is_taken_at_the_second_look_and_once(bench, watch, folder):
    (folder / "a.png").write_bytes(photo())
    watch.look()
    assert images(bench) == []
    for _ in range(LOOKS_TO_TELL + 2):
        watch.look()
    assert images(bench) == ["a.png"]


def test_a_file_that_grows_is_waited_for(bench, watch, folder):
    content = photo(size=(400, 300), file_format="JPEG")
    for length in (500, 900, 1300, len(content)):
        (folder / "a.jpg").write_bytes(content[:length])
        watch.look()
    assert images(bench) == []
    watch.look()
    assert images(bench) == ["a.jpg"]


def test_a_copy_that_halts_is_taken_when_it_is_whole_and_not_told_as_bad(bench, watch, folder):
    content = photo(size=(400, 300), file_format="JPEG")
    (folder / "a.jpg").write_bytes(content[:900])
    for _ in range(LOOKS_TO_TELL - 1):
        watch.look()
    (folder / "a.jpg").write_bytes(content)
    watch.look()
    watch.look()
    assert images(bench) == ["a.jpg"]
    assert not watch.problems


@pytest.mark.parametrize(("content", "told"), [(b"text", "not an image"), (bytes(60_000), "too large"), (b"", "empty")])
def test_a_file_that_cannot_be_read_is_told_once(bench, watch, folder, content, told):
    (folder / "a.jpg").write_bytes(content)
    for _ in range(2 * LOOKS_TO_TELL):
        watch.look()
    (problem,) = watch.problems
    assert problem["name"] == "a.jpg"
    assert told in str(problem["refusal"])
    assert images(bench) == []


def test_oldest_first_and_only_photos(bench, watch, folder):
    for number, name in enumerate(("c.png", "a.png", "b.png")):
        (folder / name).write_bytes(photo())
        os.utime(folder / name, ns=(number, number))
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.png").write_bytes(photo())
    (folder / "folder.png").mkdir()
    watch.look()
    watch.look()
    assert images(bench) == ["c.png", "a.png", "b.png"]


def test_a_file_that_changes_is_another_photo(bench, watch, folder):
    for colour in ((200, 0, 0), (0, 0, 200, 1)):
        (folder / "a.png").write_bytes(photo(colour[:3], size=(40 + len(colour), 30)))
        watch.look()
        watch.look()
    assert [verdict["class"] for verdict in bench.log.verdicts_after(0)] == ["red", "blue"]


def test_a_full_queue_is_waited_for(tmp_path, folder):
    with running_bench(tmp_path / "log", max_queue=1) as running:
        watch = FolderWatch(running.bench, folder, set())
        (folder / "a.png").write_bytes(photo())
        watch.look()
        with running.bench.worker.place():
            watch.look()
            watch.look()
        assert images(running) == []
        watch.look()
        assert images(running) == ["a.png"]


def test_a_new_start_does_not_judge_again(tmp_path, folder):
    (folder / "a.png").write_bytes(photo())
    with running_bench(tmp_path / "log", watch=folder) as running:
        deadline = time.monotonic() + 10
        while not images(running) and time.monotonic() < deadline:
            time.sleep(0.02)
    (folder / "b.png").write_bytes(photo())
    with running_bench(tmp_path / "log") as running:
        watch = FolderWatch(running.bench, folder, running.log.watched)
        watch.look()
        watch.look()
        assert images(running) == ["a.png", "b.png"]


def test_a_fault_does_not_end_the_watch(tmp_path, folder):
    def fail_once(path):
        if not failed:
            failed.append(1)
            raise RuntimeError("a bug")
        return judge_colour(path)

    failed = []
    with running_bench(tmp_path / "log", judge=fail_once) as running:
        watch = FolderWatch(running.bench, folder, set())
        (folder / "a.png").write_bytes(photo())
        for _ in range(LOOKS_TO_TELL):
            watch.look()
        assert images(running) == ["a.png"]


def test_no_such_folder(bench, tmp_path):
    with pytest.raises(ConfigError, match=r"serve\.watch"):
        FolderWatch(bench.bench, tmp_path / "nowhere", set())
