"""`evalharness compare` on finished results folders, through MLflow on SQLite."""

import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tracking_results import write_results

import evalharness
from evalharness.cli.main import main
from evalharness.config import TrackingConfig
from evalharness.errors import ConfigError, ResultsError, TrackingError
from evalharness.manifest import write_json
from evalharness.tracking import open_store, start_run, upload_results
from evalharness.tracking.client import connect


@pytest.fixture
def folders(tmp_path):
    """Three finished runs on the same rows, with maps that differ and photos that are there."""
    return write_runs(tmp_path)


def write_runs(root):
    found = []
    for seed in range(3):
        folder = write_results(root / f"run{seed}", seed=seed, weights=f"run{seed}.h5", num_rows=24)
        maps = np.random.default_rng(seed).random((24, 4, 4)) + 0.1
        densities = maps / maps.mean(axis=(1, 2), keepdims=True)
        np.save(folder / "maps" / "grad_attention.npy", densities.astype(np.float16))
        change_manifest(folder, provenance={"model": {"backbone_sha256": f"backbone of {min(seed, 1)}"}})
        found.append(folder)
    return found


def change_manifest(folder, **changes):
    """Changes nested values of a manifest in place."""
    manifest = json.loads((folder / "manifest.json").read_text())
    merge(manifest, changes)
    write_json(folder / "manifest.json", manifest)


def merge(values, changes):
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            merge(values[key], value)
        else:
            values[key] = value


def change_samples(folder, change):
    samples = pd.read_parquet(folder / "samples.parquet")
    change(samples).to_parquet(folder / "samples.parquet", index=False)


def compare(folders, tmp_path, **values):
    overrides = {
        "runs_dir": str(tmp_path / "runs"),
        "compare.num_flips": 2,
        **{key.replace("__", "."): v for key, v in values.items()},
    }
    return evalharness.compare(folders, overrides=overrides)


def test_three_runs_give_tables_figures_a_sentence_each_and_an_mlflow_run(folders, tmp_path):
    found = compare(folders, tmp_path)
    samples = [pd.read_parquet(folder / "samples.parquet") for folder in folders]
    accuracy = found.headline[found.headline["metric"] == "accuracy"]
    assert accuracy["reference"].tolist() == pytest.approx([samples[0]["correct"].mean()] * 2)
    assert accuracy["value"].tolist() == pytest.approx([each["correct"].mean() for each in samples[1:]])
    for number, name in enumerate(accuracy["run"], start=1):
        flips = found.flips[found.flips["run"] == name]
        for kind, before, after in (("broken", True, False), ("fixed", False, True)):
            expected = samples[0]["row_id"][(samples[0]["correct"] == before) & (samples[number]["correct"] == after)]
            assert sorted(flips[flips["kind"] == kind]["row_id"]) == sorted(expected)
    assert found.sentence.count("run0.h5 on flowers") == 2
    assert sorted(path.name for path in (found.folder / "figures").iterdir())[:2] == [
        "calibration.png", "differences.png",
    ]  # fmt: skip
    page = (found.folder / "report.html").read_text(encoding="utf-8")
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert json.loads(content)["runs"] == [run["name"] for run in found.manifest["runs"]]
    assert json.loads(content)["ids"] == found.flips["row_id"].tolist()
    # In large type what stands before the numbers.
    parts = [part for sentence in found.manifest["verdicts"] for part in sentence.split(": accuracy ")]
    assert all(part in html.unescape(page) for part in parts)
    client = connect(open_store(TrackingConfig(), tmp_path / "runs").uri)
    run = client.get_run(found.run_id)
    assert run.data.tags["kind"] == "comparison"
    assert run.data.tags["compared_run.2"] == str(folders[1].absolute())
    assert run.data.tags["sentence"] == found.sentence
    assert {entry.path for entry in client.list_artifacts(found.run_id)} == {"comparison", "figures"}
    assert {entry.path for entry in client.list_artifacts(found.run_id, "comparison")} >= {
        "comparison/manifest.json", "comparison/flips", "comparison/headline.csv", "comparison/report.html",
    }  # fmt: skip


def test_identical_backbones_are_named_where_the_maps_are(folders, tmp_path):
    found = compare(folders[1:], tmp_path)
    assert any("identical by construction" in remark and "rollout" in remark for remark in found.remarks)
    assert not any("identical by construction" in remark for remark in compare(folders[:2], tmp_path).remarks)


def test_a_run_beside_itself_has_no_difference(folders, tmp_path):
    found = compare([folders[0], folders[0]], tmp_path)
    assert "no difference" in found.sentence.lower()
    assert found.flips.empty
    assert (found.headline["difference"] == 0).all()
    similar = found.map_similarity[found.map_similarity["map_id"] == "grad_attention"]["spearman"]
    np.testing.assert_allclose(similar, 1)


def test_the_folder_is_complete_without_the_runs(folders, tmp_path):
    found = compare(folders[:2], tmp_path)
    pictures = {tuple(flip.values()) for flip in found.manifest["flips"]}
    assert pictures
    for folder in folders:
        shutil.rmtree(folder)
    again = evalharness.Comparison.load(found.folder)
    assert again.sentence == found.sentence
    assert len(again.predictions) == 24
    assert all((found.folder / picture).is_file() for *_, picture in pictures)
    with pytest.raises(ResultsError):
        again.show(again.flips["row_id"][0])


def test_nothing_but_an_earlier_comparison_is_written_over(folders, tmp_path):
    mine = tmp_path / "mine"
    (mine / "figures").mkdir(parents=True)
    (mine / "figures" / "paper.png").write_text("my own")
    (tmp_path / "file").write_text("my own")
    before = {path: path.stat().st_mtime_ns for path in [*folders[0].rglob("*"), *mine.rglob("*")]}
    for taken in (folders[0], mine, tmp_path / "file"):
        with pytest.raises(ResultsError, match="output_dir is not a comparison"):
            compare(folders[:2], tmp_path, output_dir=str(taken))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    first = compare(folders[:2], tmp_path, output_dir=str(tmp_path / "new"))
    assert compare(folders[1:], tmp_path, output_dir=str(tmp_path / "new")).sentence != first.sentence
    assert not list(tmp_path.glob(".new*"))


def test_what_is_no_evaluation_or_damaged_is_told(folders, tmp_path):
    compared = compare(folders[:2], tmp_path).folder
    with pytest.raises(ResultsError, match="expected the folder of an evaluation, got a comparison"):
        compare([folders[0], compared], tmp_path)
    (folders[1] / "samples.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(ResultsError, match=r"results are damaged.*8 bytes that cannot be read.*samples\.parquet"):
        compare(folders[:2], tmp_path)
    (folders[1] / "samples.parquet").unlink()
    with pytest.raises(ResultsError, match=r"results are damaged.*missing.*samples\.parquet"):
        compare(folders[:2], tmp_path)
    (folders[1] / "manifest.json").write_text('{"schema_version": 1, "ru')
    with pytest.raises(ResultsError, match=r"results are damaged.*manifest\.json.*finished rows are kept"):
        compare(folders[:2], tmp_path)


def test_show_draws_photo_and_both_maps_on_one_scale(folders, tmp_path):
    photos = tmp_path / "photos"
    row_id = "daisy/000.jpg"
    (photos / "daisy").mkdir(parents=True)
    Image.new("RGB", (400, 300), (200, 30, 30)).save(photos / row_id)
    change_manifest(folders[0], provenance={"dataset": {"root": str(photos)}})
    picture = np.asarray(compare(folders[:2], tmp_path).show(row_id)).astype(int)
    # The stored digest is another one: the photo is not the one that was evaluated, so none is shown.
    assert not (abs(picture - [200, 30, 30]) < 8).all(axis=2).any()
    digest = hashlib.sha256((photos / row_id).read_bytes()).hexdigest()
    for folder in folders[:2]:
        change_samples(folder, lambda s: s.assign(sha256=[digest, *s["sha256"][1:]]))
    picture = np.asarray(compare(folders[:2], tmp_path).show(row_id, "rollout")).astype(int)
    is_photo = (abs(picture - [200, 30, 30]) < 8).all(axis=2)
    rows, columns = np.nonzero(is_photo)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert width / height == pytest.approx(4 / 3, rel=0.02)
    assert is_photo.sum() > 0.98 * width * height
    # Two even maps at density 1: the same colour, whatever each map's own maximum is.
    middle = (rows.min() + rows.max()) // 2
    panel = round((picture.shape[1] - columns.max()) / 2)
    first, second = columns.max() + panel // 2, columns.max() + panel + panel // 2
    assert abs(picture[middle, first] - picture[middle, second]).max() < 3


def test_maps_on_another_grid_are_compared_on_the_coarser_one(folders, tmp_path):
    coarse = np.load(folders[0] / "maps" / "grad_attention.npy")
    fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
    np.save(folders[1] / "maps" / "grad_attention.npy", fine)
    np.save(folders[1] / "maps" / "rollout.npy", np.ones((24, 8, 8), np.float16))
    change_manifest(folders[1], recipe={"input": {"image_size": [64, 64]}}, config={"model": {"image_size": [64, 64]}})
    found = compare(folders[:2], tmp_path)
    own = found.map_similarity[found.map_similarity["map_id"] == "grad_attention"]
    np.testing.assert_allclose(own["spearman"], 1)
    assert "input.image_size" in found.settings["setting"].tolist()
    entry = next(entry for entry in found.manifest["maps"] if entry["map_id"] == "grad_attention")
    assert entry["grid_size"] == [4, 4]


def test_skipped_rows_are_dropped_from_both_and_counted(folders, tmp_path):
    gone = pd.read_parquet(folders[1] / "samples.parquet")["row_id"][5]
    change_samples(folders[1], lambda s: s.drop(index=5))
    pd.DataFrame([[gone, gone, 7, "truncated"]], columns=["row_id", "path", "csv_line", "reason"]).to_csv(
        folders[1] / "skipped.csv", index=False
    )
    maps = {map_id: np.load(folders[0] / "maps" / f"{map_id}.npy") for map_id in ("grad_attention", "rollout")}
    for map_id, values in maps.items():
        np.save(folders[1] / "maps" / f"{map_id}.npy", np.delete(values, 5, axis=0))
    found = compare(folders[:2], tmp_path)
    assert (found.manifest["num_compared"], found.manifest["num_dropped"]) == (23, 1)
    assert gone not in found.predictions["row_id"].tolist()
    assert any("1 images that some run skipped" in remark for remark in found.remarks)
    # Rows meet by id, not by place: equal maps of 23 rows.
    own = found.map_similarity[found.map_similarity["map_id"] == "grad_attention"]
    np.testing.assert_allclose(own["spearman"], 1)


def test_unlike_runs_are_refused_with_the_fields_named(folders, tmp_path):
    other_csv = write_results(tmp_path / "other", num_rows=30)
    with pytest.raises(ResultsError, match="row ids"):
        compare([folders[0], other_csv], tmp_path)
    change_samples(folders[1], lambda s: s.assign(label=s["label"].replace("daisy", "roses")))
    with pytest.raises(ResultsError, match="labels"):
        compare(folders[:2], tmp_path)
    change_samples(folders[2], lambda s: s.assign(sha256="f" * 64))
    change_manifest(folders[2], recipe={"maps": {"rollout": {"options": {"start_layer": 3}}}})
    with pytest.raises(ResultsError, match=r"(?s)image digests.*method options of rollout: options"):
        compare([folders[0], folders[2]], tmp_path)


def test_the_reference_can_be_another_than_the_first(folders, tmp_path):
    found = compare(folders, tmp_path, compare__reference=str(folders[2]))
    assert found.manifest["reference"] == "run2.h5 on flowers"
    assert found.headline["run"].unique().tolist() == ["run0.h5 on flowers", "run1.h5 on flowers"]
    with pytest.raises(ConfigError, match=r"compare\.reference"):
        compare(folders, tmp_path, compare__reference="nobody")


def write_audit(folder, seed):
    generator = np.random.default_rng(seed)
    row_ids = pd.read_parquet(folder / "samples.parquet")["row_id"]
    uses = generator.integers(0, 2, len(row_ids)).astype(float)
    pd.DataFrame(
        {
            "row_id": row_ids, "map_id": "grad_attention", "category": "dog", "role": "distractor",
            "share": generator.random(len(row_ids)) / 2, "area": 0.25, "lift": 1.0, "uses": uses, "flip": uses,
            "delta_prob": uses / 2, "quadrant": np.where(uses == 1, "relies", "clean"),
        }
    ).to_parquet(folder / "audit.parquet", index=False)  # fmt: skip
    pull = {"category": "dog", "class": "daisy", "n": 20, "pull": 0.1 * seed, "ci_low": 0.0, "ci_high": 0.2,
            "p_value": 0.5, "significant": False, "pull_own": 0.0}  # fmt: skip
    pd.DataFrame([pull]).to_parquet(folder / "audit_pull.parquet", index=False)
    write_json(folder / "erasures.key.json", {"sha256": "k", "key": {"fingerprint": str(folder), "annotations": "a"}})


def test_audits_stand_side_by_side_paired_by_row(folders, tmp_path):
    for seed, folder in enumerate(folders[:2]):
        write_audit(folder, seed)
    found = compare(folders[:2], tmp_path)
    tables = [pd.read_parquet(folder / "audit.parquet") for folder in folders[:2]]
    (share,) = found.regions[found.regions["measure"] == "share"].to_dict("records")
    assert (share["reference"], share["value"]) == pytest.approx([table["share"].mean() for table in tables])
    assert share["ci_low"] < share["difference"] < share["ci_high"]
    assert found.pull["run"].unique().tolist() == ["run0.h5 on flowers", "run1.h5 on flowers"]
    write_json(folders[1] / "erasures.key.json", {"sha256": "k", "key": {"annotations": "b"}})
    found = compare(folders[:2], tmp_path)
    assert found.regions.empty
    # Pull on other regions is no change of pull.
    assert found.pull["run"].unique().tolist() == ["run0.h5 on flowers"]
    assert any("annotations differ" in remark for remark in found.remarks)


def test_runs_are_found_by_their_mlflow_id_even_without_their_folder(folders, tmp_path):
    store = open_store(TrackingConfig(), tmp_path / "runs")
    run_ids = []
    for folder in folders[:2]:
        with start_run(store, name=folder.name, config=TrackingConfig()) as run_id:
            upload_results(store, run_id, folder)
        run_ids.append(run_id)
    shutil.rmtree(folders[1])
    found = compare(run_ids, tmp_path)
    assert found.manifest["runs"][0]["folder"] == str(folders[0].absolute())
    assert Path(found.manifest["runs"][1]["folder"]).parent == tmp_path / "runs" / "cache" / "results" / run_ids[1]
    assert [run["run_id"] for run in found.manifest["runs"]] == run_ids
    note = connect(store.uri).get_run(found.run_id).data.tags["mlflow.note.content"]
    assert "compareRunsMode" in note
    assert run_ids[0] in note
    assert compare([folders[0], run_ids[1]], tmp_path).manifest["runs"][0]["run_id"] == run_ids[0]
    with pytest.raises(TrackingError, match="no results"):
        compare([run_ids[0], found.run_id], tmp_path)
    with pytest.raises(TrackingError, match="cannot be read"):
        compare([run_ids[0], "0" * 32], tmp_path)


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """The command as a process of its own, which prints in the end whether it has imported TensorFlow."""
    root = tmp_path_factory.mktemp("command")
    folders = list(map(str, write_runs(root)[:2]))
    script = (
        "import sys; from evalharness.cli.main import main\n"
        f"code = main(['compare', *{folders}, 'runs_dir={root}/runs'])\n"
        "print('tensorflow' in sys.modules)\n"
        "sys.exit(code)"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)


def test_the_command_prints_what_differs_and_the_verdict(process):
    assert process.returncode == 0, process.stderr
    for part in ("Cannot tell run1.h5", "exact McNemar p", "broken", "weights_sha256", "MLflow run:", "images, at the",
                 "report.html"):  # fmt: skip
        assert part in process.stderr
    assert "Warning" not in process.stderr


def test_the_command_needs_no_tensorflow(process):
    assert process.returncode == 0, process.stderr[-2000:]
    assert process.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("arguments", "part", "exit_code"),
    [
        (["run0"], "two or more runs", 2),
        (["run0", "nowhere"], "nowhere", 2),
        (["run0", "."], "manifest.json", 1),
        (["run0", "run1", "compare.min_difference=3"], "min_difference", 2),
        (["run0", "run1", "compare.typo=3"], "typo", 2),
    ],
)
def test_mistakes_end_in_one_message(folders, tmp_path, monkeypatch, capsys, arguments, part, exit_code):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == exit_code
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert part in message
    assert not (tmp_path / "runs").exists()
