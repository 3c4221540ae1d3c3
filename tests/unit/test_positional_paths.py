"""Arguments that name a run or an image: what is there is a path, whatever is in its name."""

from types import SimpleNamespace

import pytest

from evalharness.cli import compare, export, inspect, store
from evalharness.config import RunConfig
from evalharness.errors import ConfigError
from evalharness.inspecting.stored_config import stored_config

MANY_CLASSES = f"model.classes=[{','.join(f'class_{number}' for number in range(60))}]"
"""Longer than the name of a file may be."""


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.1").mkdir()
    (tmp_path / "epoch=5 (1).jpg").write_bytes(b"")


@pytest.mark.usefixtures("in_folder")
def test_runs_to_compare(monkeypatch):
    given = []
    monkeypatch.setattr("evalharness.comparing.pipeline.compare", lambda *found: given.append(found))
    monkeypatch.setattr("evalharness.finished_runs.check_names", given.append)
    monkeypatch.setattr(compare, "print_comparison", lambda _found: None)
    compare.compare(["lr=0.1", "other", "compare.num_flips=3", MANY_CLASSES])
    assert given == [["lr=0.1", "other"], (["lr=0.1", "other"], ["compare.num_flips=3", MANY_CLASSES])]


@pytest.mark.usefixtures("in_folder")
def test_images_to_inspect():
    request = inspect.parse_arguments(["epoch=5 (1).jpg", "lr=0.1", "model.weights=a=b.h5", MANY_CLASSES])
    assert request.images == ("epoch=5 (1).jpg", "lr=0.1")
    assert request.overrides == ("model.weights=a=b.h5", MANY_CLASSES)


@pytest.mark.usefixtures("in_folder")
def test_a_result_to_export():
    parsed = export._parse(["maps=tiff", "lr=0.1", "--to", "x=y", "runs_dir=z", MANY_CLASSES])
    assert (parsed[0], str(parsed[1]), *parsed[2:]) == ("lr=0.1", "x=y", "tiff", ["runs_dir=z", MANY_CLASSES])


@pytest.mark.parametrize("arguments", [["lr=0.1", "runs_dir=z"], ["runs_dir=z", "lr=0.1"]])
@pytest.mark.usefixtures("in_folder")
def test_a_result_to_log_stands_anywhere(arguments, monkeypatch):
    class FoundError(Exception):
        pass

    def refuse(folder):
        raise FoundError(folder)

    monkeypatch.setattr("evalharness.results.StoredResult", refuse)
    with pytest.raises(FoundError, match=r"lr=0\.1"):
        store.log(arguments)


@pytest.mark.parametrize("arguments", [[], ["runs_dir=z"], ["a", "b"]])
def test_log_takes_one_result(arguments):
    with pytest.raises(ConfigError, match=r"expected one results folder.*Usage: evalharness log RESULT"):
        store.log(arguments)


def test_settings_upon_a_stored_evaluation(monkeypatch, tmp_path):
    stored = RunConfig(
        model={"weights": "a.h5", "backbone": "vit_b16", "image_size": 224, "preprocessing": "raw"},
        dataset={"csv": "a.csv"},
        attention={"methods": ["rollout"]},
    ).model_dump(mode="json")
    monkeypatch.setattr(
        "evalharness.inspecting.stored_config.find_result", lambda *_: SimpleNamespace(manifest={"config": stored})
    )

    def config(*overrides):
        return stored_config("run", [f"runs_dir={tmp_path}", *overrides])[1]

    assert config("model.weights=${x}=(1),b.h5").model.weights == "${x}=(1),b.h5"
    assert config("dataset.exclude=[2024_10,it's]").dataset.exclude == ("2024_10", "it's")
    assert config("+model.precision=bfloat16", "seed=7").seed == 7
    with pytest.raises(ConfigError, match=r"no such key: got seed\.x"):
        config("seed.x=1")
    with pytest.raises(ConfigError, match="a value cannot be read"):
        config("seed=1)")
