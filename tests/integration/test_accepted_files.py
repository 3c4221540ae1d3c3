"""CSV files, weights and names that people bring, and what the commands make of them: see `docs/accepted.md`."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import h5py
import pandas as pd
import pytest
from brought_regions import REGIONS, write_csv, write_photos
from in_process import run_here
from PIL import Image
from tiny_vit import CLASSES, UNDRAWN

from evalharness.cli.help import PAGES
from evalharness.cli.main import COMMANDS
from evalharness.config.compose import overrides_from
from evalharness.example.model import weights_path
from evalharness.example.photos import generate_photos

ROWS = [(path, path.split("/")[1]) for path in REGIONS]


def said(ended):
    """All that was printed, on one line."""
    return " ".join((ended.stdout + ended.stderr).split())


@pytest.fixture
def photos(tmp_path):
    write_photos(tmp_path)
    return tmp_path


@pytest.fixture
def command(tiny_run, photos):
    """Runs a command on `few.csv` and the tiny weights, where settings and raw arguments name nothing else."""

    def start(name, *arguments, **settings):
        given = {"dataset__csv": str(photos / "few.csv"), "model__classes": list(CLASSES), **settings}
        typed = {argument.partition("=")[0] for argument in map(str, arguments)}
        values = tiny_run.overrides(photos / "runs", **given)
        kept = {key: value for key, value in values.items() if key not in typed}
        return run_here(name, *overrides_from(kept), *arguments, cwd=photos)

    return start


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("example"), num_photos=60, seed=5)


def of_example(weights, csv, runs_dir, **settings):
    values = {"model": "example", "model.weights": str(weights), "dataset.csv": str(csv), "runs_dir": str(runs_dir)}
    return overrides_from(values | {key.replace("__", "."): value for key, value in settings.items()})


# Wrong without a word


def test_another_preprocessing_that_scores_clearly_better_is_told(example, tmp_path):
    """Weights that were trained on pixels / 255: those of the example with another first layer, equal in all else."""
    weights = tmp_path / "trained_on_0_1.h5"
    shutil.copy(weights_path("clean"), weights)
    with h5py.File(weights, "r+") as file:
        found = []
        file.visit(
            lambda name: found.append(name) if name.endswith(("embedding/kernel:0", "embedding/bias:0")) else None
        )
        bias, kernel = (file[name] for name in sorted(found))
        bias[:] = bias[:] - kernel[:].sum(axis=(0, 1, 2))
        kernel[:] = 2 * kernel[:]
    given = {"model__preprocessing": "vit", "model__probe": 40}
    ended = run_here("check", *of_example(weights, example.csv, tmp_path, **given), cwd=tmp_path)
    told = said(ended)
    assert ended.returncode == 0
    assert "model.preprocessing=rescale scores best, better than vit by" in told
    assert "the weights were probably trained with model.preprocessing=rescale" in told
    assert told.endswith("1 warning found")


def test_averages_run_over_the_classes_that_occur(example, tmp_path):
    table = pd.read_csv(example.table_csv, dtype=str, keep_default_na=False)
    table[table["label"] == "roses"].to_csv(tmp_path / "only_roses.csv", index=False)
    given = {
        "dataset__root": str(example.root),
        "output_dir": str(tmp_path / "out"),
        "bootstrap__num_resamples": 100,
        "model__probe": 0,
    }
    values = of_example(
        weights_path("clean"), tmp_path / "only_roses.csv", tmp_path, attention__methods=[], **given, **UNDRAWN
    )
    ended = run_here("run", *values, cwd=tmp_path)
    assert ended.returncode == 0
    assert "Averages over 1 of 5 classes: daisy, dandelion, sunflowers, tulips do not occur" in said(ended)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["metrics"]["accuracy"] == manifest["metrics"]["macro_f1"] == 1
    assert manifest["intervals"]["macro_f1"] == [1, 1]
    assert manifest["averaged_classes"] == ["roses"]


def test_line_scans_are_drawn_and_logged_but_not_to_a_store_of_a_newer_mlflow(command, photos):
    Image.new("RGB", (3000, 8)).save(photos / "line.png")
    Image.new("RGB", (1, 900)).save(photos / "column.png")
    write_csv(photos / "few.csv", [*ROWS[:2], ("line.png", "daisy"), ("column.png", "roses")])
    ended = command(
        "run", output_dir=str(photos / "out"), report__num_logged_images=8, report__contact_sheet=["random"]
    )
    assert ended.returncode == 0, said(ended)
    assert (photos / "out" / "report.html").is_file()
    again = run_here("log", "out", "runs_dir=elsewhere", cwd=photos)
    assert again.returncode == 0
    assert "logged out as MLflow run" in said(again)
    # In a file of its own: MLflow keeps what it has opened once.
    shutil.copy(photos / "elsewhere" / "mlflow.db", photos / "newer.db")
    with closing(sqlite3.connect(photos / "newer.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()
    refused = run_here("log", "out", "tracking.uri=sqlite:///newer.db", cwd=photos)
    assert refused.returncode == 1
    assert "a database of a newer MLflow than the" in said(refused)
    assert "Set another tracking.uri=" in said(refused)
    assert "permissions" not in said(refused)


# Confusing, or refused without need


def test_weights_that_a_training_holds_open_are_told_as_such(command, tiny_run, photos):
    shutil.copy(tiny_run.weights, photos / "open.h5")
    hold = "import h5py, sys; file = h5py.File('open.h5', 'a'); print('held', flush=True); sys.stdin.read()"
    holder = [sys.executable, "-c", hold]
    with subprocess.Popen(holder, cwd=photos, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        ended = command("check", model__weights="open.h5")
        process.stdin.close()
    assert ended.returncode == 1
    assert "weights file is in use by another process" in said(ended)
    assert "Wait until it is closed" in said(ended)
    assert command("check", model__weights="open.h5").returncode == 0


@pytest.mark.parametrize(
    ("files", "named", "words"),
    [
        (["cp-05.ckpt.index", "cp-05.ckpt.data-00000-of-00001"], "cp-05.ckpt", ["load_weights", "cp-05.weights.h5"]),
        (["cp.ckpt.index", "cp.ckpt.data-00000-of-00001"], "cp.ckpt.index", ["TensorFlow checkpoint", "cp.weights.h5"]),
        (["saved/saved_model.pb", "saved/variables/variables.index"], "saved", ["SavedModel", "save_weights"]),
    ],
)
def test_other_formats_are_named_with_the_lines_that_turn_them_into_keras_weights(command, photos, files, named, words):
    for file in files:
        (photos / file).parent.mkdir(parents=True, exist_ok=True)
        (photos / file).write_bytes(b"\0" * 64)
    ended = command("check", model__weights=named)
    assert ended.returncode == 1
    assert all(word in said(ended) for word in words), said(ended)


def test_runs_of_a_sweep_keep_what_tells_their_weights_apart(command, tiny_run, photos):
    names = ["weights.01-0.50", "weights.02-0.40"]
    for name in names:
        shutil.copy(tiny_run.weights, photos / f"{name}.h5")
    weights = ",".join(f"{name}.h5" for name in names)
    ended = command("run", "-m", f"model.weights={weights}", output_dir=str(photos / "sweep"), **UNDRAWN)
    assert ended.returncode == 0, said(ended)
    manifests = [json.loads((photos / f"sweep/{number}/manifest.json").read_text()) for number in range(2)]
    assert [manifest["name"] for manifest in manifests] == [f"{name} on few" for name in names]


@pytest.mark.parametrize("written", ["True,False", "yes,no", "007,1e3", "null,nan"])
def test_class_names_in_a_list_are_text_as_written(command, photos, written):
    first, second = written.split(",")
    write_csv(photos / "few.csv", [(path, first) for path, _ in ROWS[:2]] + [(path, second) for path, _ in ROWS[2:]])
    ended = command("check", f"model.classes=[{written},a,b,c]")
    assert ended.returncode == 0, said(ended)
    assert f"{first} 2, {second} 2, a 0, b 0, c 0" in said(ended)


def test_class_names_that_yaml_reads_as_booleans_are_to_be_quoted(command, photos):
    preset = photos / "conf" / "dataset" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    write_csv(photos / "few.csv", [(path, "yes") for path, _ in ROWS])
    arguments = ["--config-dir", "conf", "dataset=mine"]
    preset.write_text("defaults:\n  - table\n  - _self_\nclasses: [yes, no]\n")
    refused = command("check", *arguments, model__classes=["yes", "no", "a", "b", "c"])
    assert refused.returncode == 2
    assert "dataset.classes.0: YAML reads yes, no, on, off, true and false as booleans: quote" in said(refused)
    preset.write_text('defaults:\n  - table\n  - _self_\nclasses: ["yes", "no"]\n')
    assert "yes 4, no 0" in said(command("check", *arguments, model__classes=["yes", "no", "a", "b", "c"]))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("photos/daisy/1.JPG", ["there is 1.jpg, whose name differs in upper and lower case"]),
        ("Photos/Daisy/1.jpg", ["there is photos/daisy/1.jpg, whose name differs in upper and lower case"]),
        ("photos/daisy/1.jpeg", ["no such file; there is 1.jpg"]),
        (
            "C:\\Users\\me\\photos\\daisy\\1.jpg",
            ["a path of a Windows machine; its end photos/daisy/1.jpg is a file below dataset.root", "path_columns"],
        ),
        ("/Users/nobody/x/photos/daisy/1.jpg", ["a path of another machine; its end photos/daisy/1.jpg is a file"]),
        ("https://example.org/photos/daisy/1.jpg", ["it is an address, and images are not fetched"]),
    ],
)
def test_a_photo_that_is_not_there_is_told_with_what_is(command, photos, path, words):
    write_csv(photos / "few.csv", [*ROWS[1:], (path, "daisy")])
    ended = command("check")
    assert ended.returncode == 1
    assert "1 of 4 rows of" in said(ended)
    assert all(word in said(ended) for word in words), said(ended)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda line: line + ",,", "dataset.csv: 2 empty columns passed over"),
        (lambda line: line.replace(",", ",,"), "dataset.csv: 1 empty column passed over"),
        (lambda line: line.replace(",", " , "), "dataset.csv: spaces around 8 cells passed over (line 2, 3, 4, 5)"),
        (lambda line: ",\n" + line, "dataset.csv: 5 empty rows passed over (line 1, 3, 5, 7, 9)"),
        (lambda line: line + "\n,", "dataset.csv: 5 empty rows passed over (line 2, 4, 6, 8, 10)"),
        (lambda line: line.replace(",", ";"), "dataset.csv: cells separated at semicolons"),
        (lambda line: line.replace(",", "\t"), "dataset.csv: cells separated at tabs"),
        (lambda line: line.replace(",", ";") + ";", "cells separated at semicolons dataset.csv: 1 empty column passed"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_spreadsheets_write_is_read_and_told(command, photos, change, told, encoding):
    lines = (photos / "few.csv").read_text().splitlines()
    (photos / "few.csv").write_bytes("\r\n".join(map(change, lines)).encode(encoding))
    ended = command("check")
    assert ended.returncode == 0
    assert told in said(ended)
    assert ("read as UTF-16" in said(ended)) == (encoding == "utf-16")
    assert "daisy 2, dandelion 0, roses 2" in said(ended)


@pytest.mark.parametrize(
    "name", ["epoch=05-val_loss=0.21", "テスト", "test (1)", "a[0]", "it's", "50% {x}", "2024_10", "1e5", "a#b & c"]
)
def test_paths_mean_what_is_written(command, tiny_run, photos, name):
    shutil.copy(tiny_run.weights, photos / f"{name}.h5")
    (photos / "few.csv").rename(photos / f"{name}.csv")
    ended = command("check", f"model.weights={name}.h5", f"dataset.csv={name}.csv", f"dataset.name={name}")
    assert ended.returncode == 0, said(ended)
    assert f"dataset {name}: 4 images" in said(ended)


def test_a_path_that_can_be_read_in_two_ways_is_refused_with_both(command, photos):
    ended = command("check", "model.weights=a,b.h5")
    assert ended.returncode == 2
    for part in ("can be read in two ways", "\"model.weights='a,b.h5'\"", "evalharness run -m"):
        assert part in said(ended)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("write", [lambda name: [name, "--help"], lambda name: ["help", name]])
def test_help_of_every_command(name, write, tmp_path):
    ended = run_here(*write(name), cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: evalharness {name}")
    assert all(flag in ended.stdout for flag in PAGES[name].flags)
    assert "\nexamples:\n  evalharness " in ended.stdout
