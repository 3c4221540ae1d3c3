"""`evalharness inspect` with a tiny real ViT: alone, and beside a stored evaluation."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_vit import CLASSES, TINY_SIZES

import evalharness
from evalharness import model as models
from evalharness.cli.inspect import parse_arguments
from evalharness.cli.main import main
from evalharness.config.compose import overrides_from
from evalharness.errors import ConfigError
from evalharness.metrics.temperature import cross_fit_temperature

NOT_KNOWN_ALONE = ("calibrated_confidence", "novelty", "is_unlike", "noise", "is_noisy", "attention")


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    return evalharness.evaluate(tiny_run.overrides(runs_dir, attention__methods=["libra"]))


@pytest.fixture
def overrides(tiny_run, tmp_path):
    return overrides_from(
        {
            "model": "custom",
            **{f"model.{name}": value for name, value in TINY_SIZES.items()},
            "model.preprocessing": "vit",
            "model.weights": str(tiny_run.weights),
            "model.classes": list(CLASSES),
            "runs_dir": str(tmp_path / "runs"),
        }
    )


def inspect(capsys, *arguments, exit_code=0):
    assert main(["inspect", *map(str, arguments), "--json"]) == exit_code
    return json.loads(capsys.readouterr().out)


def with_run(evaluated, tmp_path):
    return ["--run", evaluated.folder, f"runs_dir={tmp_path / 'runs'}"]


def test_verdict_and_map_are_those_of_an_evaluation(evaluated, tiny_run, overrides, capsys):
    rows = evaluated.samples.iloc[:3]
    report = inspect(capsys, *(tiny_run.root / row.path for row in rows.itertuples()), *overrides)
    for found, row in zip(report["images"], rows.to_dict("records"), strict=True):
        assert found["verdict"] == row["pred_label"]
        assert found["confidence"] == pytest.approx(row["confidence"], abs=1e-5)
        assert found["top"][0] == {"class": found["verdict"], "probability": found["confidence"]}
        assert len(found["top"]) == 3
        np.testing.assert_allclose(found["map"]["density"], evaluated.map(row["row_id"]), atol=5e-3)
        with Image.open(found["picture"]) as picture:
            assert picture.width > picture.height
        for name in NOT_KNOWN_ALONE:
            assert name not in found
        assert found["belief"] == "check"
        assert "--run" in found["reasons"][0]
    assert "evaluation" not in report


def test_a_folder_gives_all_its_images_and_the_model_loads_once(tiny_run, overrides, capsys, monkeypatch):
    calls = []
    load = models.load_model
    monkeypatch.setattr(models, "load_model", lambda *args, **kwargs: calls.append(1) or load(*args, **kwargs))
    report = inspect(capsys, tiny_run.root / "test" / "roses", *overrides, "batch_size=3")
    names = [Path(found["image"]).name for found in report["images"]]
    assert names == [f"{number:04d}.jpg" for number in range(8)]
    assert calls == [1]


def test_with_a_run_the_confidence_is_calibrated_and_ordinary_images_pass(evaluated, tiny_run, tmp_path, capsys):
    row = evaluated.samples.iloc[0]
    report = inspect(capsys, tiny_run.root / row["path"], *with_run(evaluated, tmp_path))
    (found,) = report["images"]
    labels = np.array([CLASSES.index(label) for label in evaluated.samples["label"]])
    temperature = cross_fit_temperature(evaluated.logits, labels, list(evaluated.samples["group"]), seed=123)
    assert temperature.helps
    scaled = temperature.apply(evaluated.logits[:1]).max()
    assert found["calibrated_confidence"] == pytest.approx(scaled, abs=1e-4)
    assert found["calibrated_confidence"] < found["confidence"]
    assert 0 <= found["novelty"] < 1
    assert 0 <= found["noise"] <= 1
    assert any("temperature" in text for text in report["evaluation"]["notes"])


def test_few_evaluated_images_do_not_call_any_unlike_them(evaluated, tiny_run, tmp_path, capsys):
    squares = (np.indices((36, 44)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(np.stack([squares, 255 - squares, squares], axis=2)).save(tmp_path / "odd.png")
    ordinary = tiny_run.root / evaluated.samples["path"][0]
    report = inspect(capsys, tmp_path / "odd.png", ordinary, *with_run(evaluated, tmp_path))
    odd, known = report["images"]
    # Forty images cannot tell what one in a hundred is; the place among them can be told, and that it is the farthest.
    assert odd["novelty"] == pytest.approx(1 - 1 / 41)
    assert "is_unlike" not in odd
    assert any("99 are needed" in text for text in report["evaluation"]["notes"])
    assert known["novelty"] < odd["novelty"]
    for found in (odd, known):
        assert found["belief"] == "check"
        assert "114 believed photos" in found["reasons"][0]


def test_a_judge_that_is_missing_or_of_an_earlier_version_is_told_and_fitted_anew(
    evaluated, tiny_run, tmp_path, capsys, monkeypatch
):
    ordinary, path = tiny_run.root / evaluated.samples["path"][0], evaluated.folder / "judge.npz"
    kept = path.read_bytes()
    with np.load(path) as arrays:
        earlier = {**arrays, "version": 1}
    np.savez(path, **earlier)
    (old,) = inspect(capsys, ordinary, *with_run(evaluated, tmp_path))["images"]
    path.unlink()
    (missing,) = inspect(capsys, ordinary, *with_run(evaluated, tmp_path))["images"]
    for found in (old, missing):
        assert found["belief"] == "check"
        assert "repeat its `evalharness run` command" in found["reasons"][0]
    # Complete results are reused, until the judge is another one.
    again = tiny_run.overrides(evaluated.folder.parent.parent, attention__methods=["libra"])
    evalharness.evaluate(again)
    assert not path.exists()
    monkeypatch.setattr("evalharness.evaluating.stages.believe.stage.Believe.version", 99)
    evalharness.evaluate(again)
    assert path.exists()
    path.write_bytes(kept)


def test_attention_outside_the_object_is_said_only_where_it_is_given(tiny_run, overrides, capsys):
    path = tiny_run.root / "test" / "tulips" / "0000.jpg"
    (whole,) = inspect(capsys, path, *overrides, "object=0,0,22,36")["images"]
    # The left half of a 44 x 36 photo, squashed onto a grid of 4 x 4: its left two columns.
    density = np.array(whole["map"]["density"])
    assert whole["attention"]["object"] == pytest.approx(density[:, :2].sum() / density.sum(), abs=1e-3)
    assert whole["attention"]["outside"] == pytest.approx(1 - whole["attention"]["object"])


def test_annotations_tell_the_object_and_what_else_is_there(tiny_run, overrides, tmp_path, capsys):
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("path,category,x,y,width,height\n0000.jpg,tulips,0,0,22,36\n0000.jpg,dog,33,0,11,36\n")
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (0, 1):
        name = f"{number:04d}.jpg"
        (folder / name).write_bytes((tiny_run.root / "test" / "tulips" / name).read_bytes())
    report = inspect(capsys, folder, *overrides, f"dataset.annotations={boxes}")
    annotated, bare = report["images"]
    density = np.array(annotated["map"]["density"])
    assert annotated["attention"]["dog"] == pytest.approx(density[:, 3].sum() / density.sum(), abs=1e-3)
    assert annotated["attention"]["object"] == pytest.approx(density[:, :2].sum() / density.sum(), abs=1e-3)
    assert "attention" not in bare


def test_an_image_that_cannot_be_read_is_told_and_the_others_go_on(tiny_run, overrides, tmp_path, capsys):
    (tmp_path / "cut.jpg").write_bytes((tiny_run.root / "test" / "roses" / "0000.jpg").read_bytes()[:300])
    report = inspect(
        capsys, tmp_path / "cut.jpg", tiny_run.root / "test" / "roses" / "0001.jpg", *overrides, exit_code=1
    )
    assert "truncated" in report["images"][0]["error"].lower()
    assert report["images"][1]["verdict"] in CLASSES


def test_without_json_a_person_reads_it(evaluated, tiny_run, tmp_path, capsys):
    path = tiny_run.root / evaluated.samples["path"][0]
    assert main(["inspect", str(path), *map(str, with_run(evaluated, tmp_path)), "object=0,0,20,20"]) == 0
    text = capsys.readouterr().err
    for part in ("calibrated", "most probable", "on the object", "outside it", "look: "):
        assert part in text


def test_mistakes_end_in_one_message(evaluated, tiny_run, overrides, tmp_path, capsys):
    path = str(tiny_run.root / "test" / "roses" / "0000.jpg")

    def failing(arguments, *parts, exit_code):
        assert main(["inspect", *map(str, arguments)]) == exit_code
        message = capsys.readouterr().err
        assert message.startswith("error: ")
        for part in parts:
            assert part in message

    failing([], "no image given", exit_code=2)
    failing(["nowhere.jpg", *overrides], "nowhere.jpg", exit_code=2)
    unnamed = [value for value in overrides if not value.startswith("model.classes")]
    failing([path, *unnamed], "model.classes", exit_code=2)
    failing([path, *overrides, "object=30,30,50,50"], "not inside", "44 x 36", exit_code=1)
    failing([path, *overrides, "attention.target='true'"], "attention.target", exit_code=2)
    other = tmp_path / "other.h5"
    other.write_bytes(tiny_run.weights.read_bytes() + b" ")
    run = with_run(evaluated, tmp_path)
    failing([path, *run, f"model.weights={other}"], "not those of the evaluation", exit_code=1)
    failing([path, *run, "dataset.resize=pad"], "resize", exit_code=1)


def test_arguments_are_sorted():
    request = parse_arguments(["a.jpg", "--run", "r", "b", "--to", "out", "object=1,2,3,4", "top_k=2", "model=x"])
    assert request.images == ("a.jpg", "b")
    assert (request.run, request.folder, request.box) == ("r", Path("out"), (1.0, 2.0, 3.0, 4.0))
    assert request.overrides == ("model=x",)
    for wrong in (["a.jpg", "--what"], ["a.jpg", "object=1,2"], ["a.jpg", "top_k=0"], ["--json"]):
        with pytest.raises(ConfigError):
            parse_arguments(wrong)


def test_attention_on_padding_is_no_part_of_the_shares(tiny_run, overrides, tmp_path, capsys):
    """A photo twice as wide as high, in the middle two rows of a grid of 4 x 4; the object is its left half."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 40, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    arguments = [tmp_path / "wide.png", *overrides, "dataset.resize=pad", "object=0,0,20,20"]
    (found,) = inspect(capsys, *arguments)["images"]
    density = np.array(found["map"]["density"])[1:3]
    assert found["attention"]["object"] == pytest.approx(density[:, :2].sum() / density.sum(), abs=1e-3)
