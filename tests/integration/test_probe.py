"""The probe before a prediction: a run with the wrong preprocessing says so, on the terminal and in its results."""

import json

import pytest
from tiny_vit import CLASSES, build_tiny_model

import evalharness
from evalharness.cli.main import main
from evalharness.config.compose import overrides_from
from evalharness.example.model import weights_path
from evalharness.example.photos import generate_photos


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("photos"), num_photos=60, seed=5)


def of_example(example, runs_dir, **values):
    return {
        "model": "example",
        "model.weights": str(weights_path("clean")),
        "dataset.csv": str(example.csv),
        "runs_dir": str(runs_dir),
        "bootstrap.num_resamples": 100,
        "attention.methods": [],
        "report.html": False,
        **{key.replace("__", "."): value for key, value in values.items()},
    }


def test_run_warns_before_it_predicts_and_keeps_the_warning(example, tmp_path, capsys):
    result = evalharness.evaluate(of_example(example, tmp_path, model__preprocessing="raw"))
    told = " ".join(capsys.readouterr().err.split())
    assert "probe: 32 images under 4 preprocessings" in told
    assert told.index("probably trained with model.preprocessing=vit") < told.index("Predicting")
    (warning, *_) = result.manifest["warnings"]
    assert warning.startswith("model.preprocessing=raw scores")
    # Reused, the results keep it, and nothing is probed again.
    again = evalharness.evaluate(of_example(example, tmp_path, model__preprocessing="raw"))
    assert again.manifest["warnings"] == result.manifest["warnings"]
    assert "probe" not in capsys.readouterr().err
    # Completed anew for another request, as well.
    anew = evalharness.evaluate(of_example(example, tmp_path, model__preprocessing="raw", report__num_pairs=3))
    assert anew.manifest["warnings"] == result.manifest["warnings"]
    assert "probe" not in capsys.readouterr().err


def test_the_right_preprocessing_in_numbers_gives_the_same_verdicts(example, tmp_path, capsys):
    named = evalharness.evaluate(of_example(example, tmp_path))
    halves = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    given = evalharness.evaluate(of_example(example, tmp_path, model__preprocessing=halves, model__probe=0))
    assert "warning" not in capsys.readouterr().err
    assert given.metrics["accuracy"] == named.metrics["accuracy"]
    assert given.recipe["input"]["preprocessing"] == halves
    assert named.recipe["input"]["preprocessing"] == "vit"
    assert given.manifest["fingerprint"] != named.manifest["fingerprint"]


def test_check_counts_a_warning(example, tmp_path, capsys):
    values = of_example(example, tmp_path, model__preprocessing="rescale")
    assert main(["check", *overrides_from(values)]) == 0
    told = capsys.readouterr().err
    assert "1 warning found" in told
    assert "no problem found" not in told
    for value in ("raw", "vit", "rescale (configured)", "imagenet"):
        assert value in told


def test_a_saved_model_tells_its_heads(tiny_run, tmp_path, capsys):
    build_tiny_model().save(tmp_path / "whole.h5")
    values = {**tiny_run.overrides(tmp_path / "runs"), "model.weights": str(tmp_path / "whole.h5")}
    assert main(["check", *overrides_from({**values, "model.classes": list(CLASSES)})]) == 0
    capsys.readouterr()
    assert main(["check", *overrides_from({**values, "model.num_heads": 1})]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "num_heads is 2 in the file's own config, the config has 1" in told


def test_too_few_images_are_not_probed(example, tmp_path, capsys):
    result = evalharness.evaluate(of_example(example, tmp_path, model__preprocessing="raw", limit=5))
    assert "probe" not in capsys.readouterr().err
    assert json.loads((result.folder / "manifest.json").read_text())["warnings"] == []
