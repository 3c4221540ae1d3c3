"""Rows that survive a killed process, and folders that never look complete before they are."""

import errno
import json
import os
from dataclasses import dataclass

import numpy as np
import pytest

from evalharness.errors import ResultsError
from evalharness.manifest import holds_results, read_manifest, write_json
from evalharness.results import ArrayLayout, ResultsWriter
from evalharness.results.recipe import fingerprint

LAYOUT = ArrayLayout(num_rows=5, num_classes=3, feature_size=4, grid_size=(2, 3), map_ids=("rollout",))
RECIPE = {"seed": 1}


@dataclass
class Rows:
    """A batch of output; row r holds r everywhere."""

    rows: list[int]

    def __post_init__(self):
        values = np.array(self.rows, np.float32)
        self.logits = np.repeat(values[:, None], 3, axis=1)
        self.features = np.repeat(values[:, None], 4, axis=1)
        self.patch_norms = np.ones((len(values), 2, 3))
        self.signed, self.completeness_errors = {}, {}
        self.densities = {"rollout": np.tile(values[:, None, None], (1, 2, 3))}
        self.map_sums = {"rollout": values.astype(np.float64)}


def open_writer(folder, *, print_="a", layout=LAYOUT, resume=True):
    return ResultsWriter.open(folder, RECIPE, print_, layout, resume=resume)


def finish(writer):
    (writer.folder / "samples.parquet").touch()
    writer.finish({"schema_version": 1, "fingerprint": "a", "request": "r"})


def test_an_interrupted_evaluation_continues_with_the_rows_that_are_missing(tmp_path):
    folder = tmp_path / "results"
    with pytest.raises(KeyboardInterrupt), open_writer(folder) as writer:  # noqa: PT012
        writer.write(np.array([0, 2]), Rows([0, 2]))
        raise KeyboardInterrupt
    assert not holds_results(folder, "a", "r")
    with open_writer(folder) as writer:
        assert writer.num_resumed == 2
        np.testing.assert_array_equal(writer.pending(), [1, 3, 4])
        writer.write(np.array([1, 3, 4]), Rows([1, 3, 4]))
        assert len(writer.pending()) == 0
        finish(writer)
    assert holds_results(folder, "a", "r")
    np.testing.assert_array_equal(np.load(folder / "logits.npy")[:, 0], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(np.load(folder / "maps" / "rollout.npy")[:, 1, 2], [0, 1, 2, 3, 4])
    assert np.load(folder / "maps" / "rollout.npy").dtype == np.float16


def test_resume_false_starts_again(tmp_path):
    with open_writer(tmp_path / "r") as writer:
        writer.write(np.array([0]), Rows([0]))
    with open_writer(tmp_path / "r", resume=False) as writer:
        assert writer.num_resumed == 0
        assert len(writer.pending()) == 5


def test_an_unfinished_evaluation_of_another_recipe_is_discarded(tmp_path):
    with open_writer(tmp_path / "r") as writer:
        writer.write(np.array([0]), Rows([0]))
    with open_writer(tmp_path / "r", print_="b") as writer:
        assert len(writer.pending()) == 5


def test_finished_results_of_another_recipe_are_not_touched(tmp_path):
    with open_writer(tmp_path / "r") as writer:
        writer.write(np.arange(5), Rows(list(range(5))))
        finish(writer)
    with pytest.raises(ResultsError, match="another recipe"), open_writer(tmp_path / "r", print_="b"):
        pass
    assert holds_results(tmp_path / "r", "a", "r")


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ResultsError, match=r"thesis\.txt"), open_writer(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_two_evaluations_cannot_write_one_folder(tmp_path):
    with open_writer(tmp_path / "r"), pytest.raises(ResultsError, match="in use"), open_writer(tmp_path / "r"):
        pass


def test_arrays_that_do_not_fit_are_made_anew(tmp_path):
    with open_writer(tmp_path / "r") as writer:
        writer.write(np.array([0]), Rows([0]))
    (tmp_path / "r" / "features.npy").write_bytes(b"torn")
    with open_writer(tmp_path / "r") as writer:
        assert len(writer.pending()) == 5


def test_a_full_disk_is_found_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ResultsError, match="disk is full"), open_writer(tmp_path / "r"):
        pass


def test_failed_rows_are_listed_tried_again_and_dropped(tmp_path):
    folder = tmp_path / "r"
    with open_writer(folder) as writer:
        writer.write(np.array([0, 1]), Rows([0, 1]))
        writer.fail(2, "truncated")
        assert writer.failures() == {2: "truncated"}
    with open_writer(folder) as writer:
        np.testing.assert_array_equal(writer.pending(), [2, 3, 4])
        assert writer.failures() == {}
        writer.write(np.array([3, 4]), Rows([3, 4]))
        writer.fail(2, "still truncated")
        assert writer.failures() == {2: "still truncated"}
        writer.keep_rows(np.array([0, 1, 3, 4]))
        finish(writer)
    np.testing.assert_array_equal(np.load(folder / "logits.npy")[:, 0], [0, 1, 3, 4])
    np.testing.assert_array_equal(np.load(folder / "maps" / "rollout.npy")[:, 0, 0], [0, 1, 3, 4])


def test_manifest_is_whole_or_absent(tmp_path):
    write_json(tmp_path / "manifest.json", {"schema_version": 1, "metrics": {"ece": float("nan")}})
    assert json.loads((tmp_path / "manifest.json").read_text())["metrics"]["ece"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_unfinished_and_foreign_folders_are_told_apart(tmp_path):
    with pytest.raises(ResultsError, match="no results"):
        read_manifest(tmp_path)
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(ResultsError, match="unfinished"):
        read_manifest(tmp_path)
    write_json(tmp_path / "manifest.json", {"schema_version": 99})
    with pytest.raises(ResultsError, match="expected schema 1, got 99"):
        read_manifest(tmp_path)


def test_fingerprints_ignore_order_and_notice_values():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint({"a": 1, "b": [2, 1]})
    with pytest.raises(ValueError, match="JSON"):
        fingerprint({"a": float("nan")})
