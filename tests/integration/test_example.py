"""The bundled example through the whole harness: a model that has learned something, and mistakes that show then."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import run_here

import evalharness
from evalharness.config.compose import overrides_from
from evalharness.example.model import RUNS, weights_path
from evalharness.example.photos import CLASSES, generate_photos

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("example"), num_photos=150)


@pytest.fixture(scope="session")
def overrides(photos):
    """Of a run of the example; keyword names use `__` for a dot."""

    def compose(run, runs_dir, **values):
        return {
            "model": "example",
            "model.weights": str(weights_path(run)),
            "model.probe": 0,
            "dataset": "notebook",
            "dataset.csv": str(photos.csv),
            "runs_dir": str(runs_dir),
            "bootstrap.num_resamples": 300,
            "report.contact_sheet": [],
            "report.num_logged_images": 0,
            "report.html": False,
            "report.num_pairs": 1,
            **{key.replace("__", "."): value for key, value in values.items()},
        }

    return compose


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo on few photos: the finished command, and its `runs_dir`."""
    runs_dir = tmp_path_factory.mktemp("demo") / "runs"
    settings = [f"runs_dir={runs_dir}", "num_photos=150", "bootstrap.num_resamples=300"]
    settings += ["faithfulness.num_images=6", "faithfulness.num_steps=4", "concepts.views=[photo]"]
    # Every figure is drawn, and with few photos on it.
    few = ["report.contact_sheet=[worst_mistakes]", "report.num_pairs=1", "report.num_logged_images=1"]
    return run_here("demo", *settings, *few, cwd=runs_dir.parent), runs_dir


@pytest.fixture(scope="session")
def audited(demo):
    """What the demo left of every run, by name."""
    process, runs_dir = demo
    assert process.returncode == 0, process.stderr
    found = {run: list((runs_dir / "results").glob(f"{run}-*")) for run in RUNS}
    return {run: evalharness.Result(folder) for run, (folder,) in found.items()}


def by_animal(result, photos):
    table = pd.read_csv(photos.table_csv, dtype=str, keep_default_na=False).set_index("path")
    return table["distractor"].reindex(result.samples["row_id"]).to_numpy()


def test_all_runs_are_good_on_photos_without_animals(audited, photos):
    accuracies = {
        run: result.samples["correct"].to_numpy()[by_animal(result, photos) == ""].mean()
        for run, result in audited.items()
    }
    assert min(accuracies.values()) > 0.85
    assert max(accuracies.values()) - min(accuracies.values()) < 0.1


def test_the_planted_cat_costs_the_shortcut_far_more(audited, photos):
    def lost(run):
        result = audited[run]
        correct, animal = result.samples["correct"].to_numpy(), by_animal(result, photos)
        others = result.samples["label"].to_numpy() != "roses"
        return correct[others & (animal == "")].mean() - correct[others & (animal == "cat")].mean()

    assert lost("shortcut") - lost("clean") > 0.2


def test_the_audit_names_the_cat_and_the_roses(audited):
    regions = audited["shortcut"].manifest["findings"]["regions"]
    assert "cat" in regions["sentence"]
    assert "roses" in regions["sentence"]
    largest = max(regions["pull"], key=lambda cell: cell["pull"]["value"])
    assert (largest["category"], largest["class_name"]) == ("cat", "roses")
    assert largest["is_significant"]


def pull_to_roses(result):
    cells = result.manifest["findings"]["regions"]["pull"]
    return next(cell["pull"] for cell in cells if (cell["category"], cell["class_name"]) == ("cat", "roses"))


def test_only_the_shortcut_is_pulled_to_roses_by_the_cat(audited):
    assert pull_to_roses(audited["shortcut"])["ci_low"] > pull_to_roses(audited["clean"])["ci_high"]
    assert pull_to_roses(audited["shortcut"])["value"] > 0.1


def test_rollout_is_told_to_be_blind_to_the_head(audited):
    trust = {entry["map_id"]: entry for entry in audited["clean"].manifest["findings"]["trust"]}
    assert set(trust) == {"libra", "rollout", "random", "center"}
    assert trust["rollout"]["measures"]["head_similarity"]["value"] == pytest.approx(1)
    assert not trust["rollout"]["is_trusted"]
    assert trust["libra"]["measures"]["head_similarity"]["value"] < 1


def test_a_frozen_backbone_is_the_same_backbone(audited):
    digests = {run: result.manifest["provenance"]["model"]["backbone_sha256"] for run, result in audited.items()}
    assert digests["clean"] != digests["shortcut"] != digests["head_only"]


def test_permuted_classes_are_noticed(overrides, tmp_path, capsys):
    order = ["tulips", "sunflowers", "roses", "dandelion", "daisy"]
    result = evalharness.evaluate(
        overrides("clean", tmp_path, limit=60, model__classes=order, dataset__classes=list(CLASSES))
    )
    (warning,) = result.manifest["warnings"]
    # The order that would be right is the one of training.
    assert "daisy" in warning
    position = [warning.index(name) for name in CLASSES]
    assert position == sorted(position)
    assert "warning" in capsys.readouterr().err


def test_confused_preprocessing_is_noticed_by_the_probe(overrides, tmp_path, capsys):
    from evalharness.cli.main import main

    for preprocessing, is_wrong in (("vit", False), ("raw", True)):
        values = overrides("clean", tmp_path, model__preprocessing=preprocessing, model__probe=60)
        assert main(["check", *overrides_from(values)]) == 0
        error = capsys.readouterr().err
        assert ("were probably trained with model.preprocessing=vit" in " ".join(error.split())) == is_wrong


def test_new_thresholds_and_roles_need_no_model(overrides, photos, tmp_path, monkeypatch):
    values = overrides("clean", tmp_path, limit=60, dataset__annotations=str(photos.annotations))
    first = evalharness.evaluate(values)

    def refuse(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("evalharness.model.load_model", refuse)
    again = evalharness.evaluate({**values, "gate.max_relies_rate": 0.5, "faithfulness.max_head_similarity": 0.5})
    assert again.folder == first.folder
    np.testing.assert_array_equal(again.maps("libra"), first.maps("libra"))


def test_a_gate_that_does_not_hold_ends_with_3_and_names_rows(overrides, photos, tmp_path):
    values = overrides(
        "shortcut", tmp_path, limit=60, dataset__annotations=str(photos.annotations), gate__max_distractor_lift=1.2
    )
    process = run_here("run", *overrides_from(values), cwd=tmp_path)
    assert process.returncode == 3, process.stderr
    assert "gate.max_distractor_lift: the lift of cat" in process.stderr
    assert "-cat.jpg" in process.stderr


def test_the_demo_names_the_run_and_says_where_to_look(demo):
    process, runs_dir = demo
    error = " ".join(process.stderr.split())
    assert "shortcut: The shortcut is cat: it pulls verdicts to roses" in error
    assert "repair of shortcut" in error
    assert "cat added" in error
    assert "evalharness ui" in error
    assert (runs_dir / "demo" / "where_they_look.png").stat().st_size > 10_000


def test_the_demo_says_what_to_try_next(demo):
    process, _ = demo
    commands = process.stderr.partition("try next:\n")[2].splitlines()
    assert [shlex.split(command)[1] for command in commands if command] == ["inspect", "compare", "ui"]
    paths = [Path(word) for command in commands for word in shlex.split(command) if "/results/" in word]
    paths.append(Path(shlex.split(commands[0])[2]))
    assert len(paths) == 4
    assert all(path.exists() for path in paths), paths


def rate_of_relying_on_the_cat(result):
    categories = result.manifest["findings"]["regions"]["categories"]
    entry = next(e for e in categories if (e["category"], e["map_id"]) == ("cat", "libra"))
    return entry["quadrants"]["relies"]["interval"]


def test_only_the_shortcut_relies_on_the_cat(audited):
    assert rate_of_relying_on_the_cat(audited["shortcut"])["value"] > 0.15
    assert rate_of_relying_on_the_cat(audited["clean"])["value"] < 0.12


def test_every_run_is_judged_and_the_shortcut_is_believed_least(audited):
    believed = {}
    for run, result in audited.items():
        found = result.manifest["findings"]["believe"]
        judged = pd.read_parquet(result.folder / "judged.parquet")
        assert judged["row_id"].tolist() == result.samples["row_id"].tolist()
        assert judged["belief"].value_counts().to_dict() == {n: c for n, c in found["counts"].items() if c}
        assert 0 <= result.metrics["believe/aurc"] <= 1
        believed[run] = result.metrics["believe/coverage_at_risk"]
        # A risk that ranks by nothing would be wrong among the least risky as often as anywhere.
        right = result.samples["correct"].to_numpy()[np.argsort(judged["risk"].to_numpy(), kind="stable")]
        assert right[: len(right) // 2].mean() >= right[len(right) // 2 :].mean()
    assert believed["shortcut"] < believed["clean"]


def test_a_gate_on_what_may_be_believed_ends_with_3(overrides, tmp_path):
    values = overrides(
        "shortcut", tmp_path, limit=60, gate__min_coverage=0.99, report__contact_sheet=[], report__html=False
    )
    process = run_here("run", *overrides_from(values), cwd=tmp_path)
    assert process.returncode == 3, process.stderr
    assert "gate.min_coverage: " in process.stderr
    assert "less than 99.0%" in " ".join(process.stderr.split())


def test_what_may_be_believed_is_compared_on_the_same_photos(audited, tmp_path):
    found = evalharness.compare(audited["clean"], audited["shortcut"], overrides={"runs_dir": str(tmp_path)})
    rows = found.believe.set_index("measure")
    assert set(rows.index) == {"coverage", "coverage_at_risk", "aurc"}
    for name in ("coverage_at_risk", "aurc"):
        for column, run in (("reference", "clean"), ("value", "shortcut")):
            assert rows.loc[name, column] == pytest.approx(audited[run].metrics[f"believe/{name}"], abs=1e-6)
    assert (rows["difference"] - (rows["value"] - rows["reference"])).abs().max() < 1e-9
    assert any("of the verdicts may be believed" in remark for remark in found.remarks)


def first_hour():
    """The README's commands on the example, words still unexpanded."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## A first hour\n.*?```sh\n(.*?)```", readme, re.DOTALL)
    return [line for line in block.splitlines() if line.startswith("evalharness ") and line != "evalharness ui"]


@pytest.mark.parametrize("line", first_hour())
def test_the_first_hour(line, demo):
    folder = demo[1].parent
    words = (
        line.replace("seed123-600", "seed123-150")
        .replace("0012-cat", "0002-cat")
        .replace("evalharness/example", str(ROOT / "evalharness/example"))
    )
    pasted = [name for word in shlex.split(words)[1:] for name in (sorted(map(str, folder.glob(word))) or [word])]
    assert len(pasted) == len(shlex.split(words)[1:])
    drawn = ["report.num_pairs=1", "report.num_logged_images=1"] if pasted[0] == "run" else []
    process = run_here(*pasted, *drawn, cwd=folder)
    assert process.returncode == 0, process.stderr
    expected = {"inspect": "0002-cat.jpg: ", "compare": "shortcut", "run": "Highest accuracy"}
    assert expected[pasted[0]] in process.stderr


def test_the_notebook_runs_on_what_the_demo_left(audited, demo, monkeypatch):
    notebook = ROOT / "docs" / "first_look.ipynb"
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    docs = demo[1].parent / "docs"
    docs.mkdir()
    monkeypatch.chdir(docs)
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["found"].sentence.startswith(("shortcut is worse than clean", "Cannot tell shortcut from clean"))
    assert names["pull"].set_index(["category", "class"])["pull"].idxmax() == ("cat", "roses")
    assert len(names["judged"]) == len(audited["shortcut"].samples)
