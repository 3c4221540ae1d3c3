"""The command line as a user meets it: exit codes, one readable message for each mistake; processes of each kind."""

import json
import subprocess
import sys

import mlflow
import pytest
from in_process import run_here
from tiny_vit import build_tiny_model
from tracking_results import write_results

from evalharness import evaluate
from evalharness.config.compose import overrides_from
from evalharness.errors import EvalHarnessError


def evalharness(*arguments, cwd):
    """Runs the command as a process of its own."""
    command = [sys.executable, "-m", "evalharness", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def assert_one_message(process, *parts, exit_code=1):
    assert process.returncode == exit_code, process.stderr
    assert "Traceback" not in process.stderr
    messages = process.stderr[process.stderr.index("error: ") :]
    assert messages.count("error: ") == 1
    for part in parts:
        assert part in messages


@pytest.fixture
def arguments(tiny_run, tmp_path):
    def compose(**values):
        return overrides_from(tiny_run.overrides(tmp_path / "runs", limit=10, **values))

    return compose


def test_run_prints_the_numbers_the_run_and_where_to_look(arguments, tmp_path):
    process = evalharness("run", *arguments(), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    for part in ("accuracy", "macro_f1", "images/s", "MLflow run", "evalharness ui runs_dir="):
        assert part in process.stderr
    assert "Warning" not in process.stderr
    # Nothing else is left in the working directory.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]
    assert "TensorFlow Addons" not in process.stderr


def test_help_imports_no_heavy_library_and_is_fast(tmp_path):
    script = (
        "import sys; from evalharness.cli.main import main; main(['--help']); import evalharness\n"
        "heavy = {'tensorflow', 'mlflow', 'matplotlib', 'hydra', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "evalharness run" in process.stdout


def test_run_help_lists_presets_and_keys_without_tensorflow(tmp_path):
    process = evalharness("run", "--help", cwd=tmp_path)
    assert process.returncode == 0
    for part in ("notebook", "model:", "num_resamples"):
        assert part in process.stdout


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (["model.weights=none.h5", "dataset.csv=there.csv"], "weights file not found"),
        (["model.weights=there.h5", "dataset.csv=none.csv"], "the dataset CSV is missing"),
        (["model.weights=there.h5", "dataset.csv=there.csv", "model.reference=none.h5"], "model.reference"),
        (["model.weights=there.h5", "dataset.csv=there.csv", "dataset.root=none"], "(dataset.root)"),
        (["model.weights=there.h5", "dataset.csv=there.csv", "dataset.annotations=none"], "there are no annotations"),
        (["model.weights=there.h5", "dataset.csv=there.csv", "stress.num_images=1", "stress.cutouts=none"], "cut-outs"),
        (["model.weights=there.h5", "dataset.csv=there.csv", "stress.cutouts=none"], None),
        (["model.weights=there.h5", "dataset.csv=there.csv"], None),
    ],
)
def test_a_missing_file_is_told_before_anything_that_takes_seconds_is_imported(values, part, tmp_path):
    (tmp_path / "there.csv").write_text("path,label\na.jpg,roses\n")
    (tmp_path / "there.h5").write_bytes(b"")
    script = (
        "import sys; from evalharness.cli.first_look import look_first\n"
        "from evalharness.errors import EvalHarnessError\n"
        "from evalharness.config.compose import compose_config\n"
        "try: look_first(compose_config(sys.argv[1:]))\n"
        "except EvalHarnessError as error: print(error)\n"
        "heavy = {'tensorflow', 'mlflow', 'sklearn', 'matplotlib', 'pandas', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    command = [sys.executable, "-c", script, *values]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (part or "") in process.stdout
    assert bool(process.stdout) == (part is not None)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run", "model.weights=none.h5", "dataset.csv=none.csv"], "weights file not found"),
        (["check", "model.weights=none.h5", "dataset.csv=none.csv"], "the dataset CSV is missing"),
        (["inspect", "none.jpg", "model.weights=none.h5"], "no such image"),
        (["inspect", "there.h5", "model.weights=none.h5", "model.classes=[a,b]"], "weights file not found"),
        (["compare", "none", "none"], "no such run"),
        (["export", "none", "--to", "x"], "no such run"),
        (["log", "none"], "no results"),
    ],
)
def test_commands_tell_what_is_missing_before_tensorflow_and_mlflow_are_imported(arguments, part, tmp_path):
    (tmp_path / "there.h5").write_bytes(b"")
    # `check` goes on behind what is missing, to find the rest.
    script = (
        "import sys; from evalharness.cli import check; from evalharness.cli.main import main\n"
        "def tell(problems):\n"
        "    for problem in problems: print(problem, file=sys.stderr)\n"
        "    sys.exit(1)\n"
        "check._print_problems = tell\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as ending: code = ending.code\n"
        "heavy = {'tensorflow', 'mlflow', 'sklearn', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert code and not heavy, (code, heavy)"
    )
    command = [sys.executable, "-c", script, *arguments]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert part in process.stderr


def test_a_run_looks_first(tmp_path, monkeypatch):
    from evalharness.evaluating import pipeline

    monkeypatch.setattr(pipeline, "run_evaluation", lambda config: pytest.fail("it was started"))
    process = run_here("run", "model.weights=none.h5", "dataset.csv=none.csv", cwd=tmp_path)
    assert_one_message(process, "weights file not found", "none.h5")


def test_check_tells_a_missing_file_once(tmp_path):
    process = run_here("check", "model.weights=none.h5", "dataset.csv=none.csv", cwd=tmp_path)
    assert process.returncode == 1
    assert process.stderr.count("weights file not found") == process.stderr.count("the dataset CSV is missing") == 1
    assert "2 problems found" in process.stderr


def test_cfg_job_prints_the_config(tmp_path):
    process = evalharness("run", "--cfg", "job", cwd=tmp_path)
    assert process.returncode == 0
    assert "preprocessing: raw" in process.stdout


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ([], ["config is incomplete", "model.weights", "dataset.csv"]),
        (["model.weigths=x"], ["model.weigths", "spelling"]),
        (["model.weights=a", "dataset.csv=x", "bootstrap.confidence=0,9(5)"], ["quotes", "0,9(5)"]),
        (["model=vit_b17"], ["vit_b17"]),
        (["model.weights=x", "dataset.csv=y", "batch_size=0", "dataset.resize=stretch"], ["batch_size", "squash"]),
    ],
)
def test_config_mistakes_exit_with_2(tmp_path, overrides, parts):
    assert_one_message(run_here("run", *overrides, cwd=tmp_path), *parts, exit_code=2)


def test_unknown_command(tmp_path):
    assert_one_message(evalharness("evaluate", cwd=tmp_path), "run, demo, compare", exit_code=2)


def write_csv(folder, text):
    path = folder / "list.csv"
    path.write_text(text)
    return path


GOOD = "test/roses/0000.jpg"


@pytest.mark.parametrize(
    ("text", "values", "parts"),
    [
        ("path,kind\nx.jpg,roses\n", {}, ["label", "kind"]),
        (
            f"path,label\n{GOOD},orchid\n",
            {"dataset__classes": ["daisy", "dandelion", "roses", "sunflowers", "tulips"]},
            ["orchid", "line 2"],
        ),
        (
            f"base_path,type_dir,file_name\ntest,daisy_or_roses,{GOOD}\n",
            {"dataset__classes": ["daisy", "roses"]},
            ["daisy", "roses", "line 2"],
        ),
        ("path,label\ntest/roses/nowhere.jpg,roses\n", {}, ["nowhere.jpg", "line 2"]),
    ],
    ids=["column", "class", "ambiguous", "missing"],
)
def test_dataset_mistakes(tiny_run, tmp_path, text, values, parts):
    given = {"dataset__csv": str(write_csv(tmp_path, text)), "dataset__root": str(tiny_run.root), **values}
    with pytest.raises(EvalHarnessError) as raised:
        evaluate(tiny_run.overrides(tmp_path / "runs", **given))
    for part in ("list.csv", *parts):
        assert part in str(raised.value)


def test_a_truncated_image_is_one_message(arguments, tiny_run, tmp_path):
    (tmp_path / "cut.jpg").write_bytes((tiny_run.root / GOOD).read_bytes()[:300])
    csv = write_csv(tmp_path, "path,label\ncut.jpg,roses\n")
    run = arguments(dataset__csv=str(csv), dataset__root=str(tmp_path))
    assert_one_message(run_here("run", *run, cwd=tmp_path), "list.csv", "cut.jpg", "line 2", "Truncated")


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ({"num_classes": 7}, ["7", "5", "classes"]),
        ({"image_size": 48}, ["image_size", "48"]),
        ({"patch_size": 16}, ["patch"]),
        ({"num_layers": 3}, ["3", "2"]),
    ],
)
def test_weights_that_do_not_fit(tiny_run, tmp_path, sizes, parts):
    path = tmp_path / "other.h5"
    build_tiny_model(**sizes).save_weights(path)
    with pytest.raises(EvalHarnessError) as raised:
        evaluate(tiny_run.overrides(tmp_path / "runs", limit=10, model__weights=str(path)))
    for part in ("other.h5", *parts):
        assert part in str(raised.value)


def test_weights_that_do_not_fit_on_the_command_line(arguments, tmp_path):
    build_tiny_model(num_classes=7).save_weights(tmp_path / "other.h5")
    process = evalharness("run", *arguments(model__weights=str(tmp_path / "other.h5")), cwd=tmp_path)
    assert_one_message(process, "other.h5", "7", "5", "classes")


def test_a_file_that_is_no_weights_file(arguments, tmp_path):
    (tmp_path / "page.h5").write_text("<!DOCTYPE html><html>not found</html>")
    process = run_here("run", *arguments(model__weights=str(tmp_path / "page.h5")), cwd=tmp_path)
    assert_one_message(process, "page.h5")


def test_check_lists_problems_of_weights_and_dataset_together(arguments, tmp_path):
    csv = write_csv(tmp_path, "path,label\ntest/roses/nowhere.jpg,roses\n")
    process = run_here(
        "check", *arguments(dataset__csv=str(csv), model__weights=str(tmp_path / "none.h5")), cwd=tmp_path
    )
    assert process.returncode == 1
    assert "nowhere.jpg" in process.stderr
    assert "none.h5" in process.stderr
    assert "2 problems" in process.stderr


def test_check_reads_every_file_that_the_config_names(arguments, tmp_path):
    boxes, animals, before = (str(tmp_path / name) for name in ("boxes.json", "animals", "before.h5"))
    given = arguments(dataset__annotations=boxes, stress__cutouts=animals, stress__num_images=2)
    process = run_here("check", *given, cwd=tmp_path)
    assert process.returncode == 1, process.stderr
    assert "boxes.json" in process.stderr
    assert "animals" in process.stderr
    assert "2 problems found" in process.stderr
    process = run_here("check", *arguments(model__reference=before), cwd=tmp_path)
    assert "before.h5" in process.stderr
    assert "1 problem found" in process.stderr


def test_check_prints_the_structure_and_the_probe(arguments, tmp_path):
    process = run_here("check", *arguments(model__probe=8), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    for part in ("2 x TransformerBlock", "batch_normalization", "probe on 8 images", "no problem found"):
        assert part in process.stderr


def test_log_uploads_stored_results_to_another_store(tmp_path):
    output = write_results(tmp_path / "out")
    uri = f"sqlite:///{tmp_path / 'second.db'}"
    process = run_here("log", output, f"tracking.uri={uri}", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    client = mlflow.MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("evalharness").experiment_id])
    assert run.data.metrics["accuracy"] == json.loads((output / "manifest.json").read_text())["metrics"]["accuracy"]
    again = run_here("log", output, f"tracking.uri={uri}", cwd=tmp_path)
    assert f"in place of what MLflow run {run.info.run_id}" in " ".join(again.stderr.split())
    assert len(client.search_runs([run.info.experiment_id])) == 1
    process = run_here("log", tmp_path / "nothing", cwd=tmp_path)
    assert_one_message(process, "nothing")


def test_a_path_that_cannot_be_a_folder_is_one_message(arguments, tiny_run, tmp_path):
    process = run_here("run", *arguments(output_dir=str(tiny_run.weights / "inside")), cwd=tmp_path)
    assert_one_message(process, "Not a directory", "output_dir")
