"""A model that `transformers` fine-tuned, through the whole harness and beside a model of Keras."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from in_process import run_here

import evalharness
from evalharness.errors import ModelError
from evalharness.example.model import weights_path
from evalharness.example.photos import CLASSES, generate_photos

FINE_TUNED = Path(__file__).parents[1] / "fixtures" / "fine-tuned"
LIGHT = {
    "model.probe": 0,
    "bootstrap.num_resamples": 200,
    "report.contact_sheet": [],
    "report.num_logged_images": 0,
    "report.num_pairs": 1,
    "report.html": False,
    "attention.methods": ["libra", "rollout"],
}
STAGES = {
    "audit.num_controls": 1,
    "faithfulness.num_images": 3,
    "faithfulness.num_steps": 3,
    "faithfulness.num_random_heads": 1,
    "stress.num_images": 3,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("example"), num_photos=30)


@pytest.fixture(scope="module")
def evaluated(photos, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    common = {**LIGHT, "dataset.csv": str(photos.csv), "runs_dir": str(runs_dir)}
    stages = {**STAGES, "dataset.annotations": str(photos.annotations)}
    theirs = {"model": "huggingface", "model.weights": str(FINE_TUNED), **stages}
    keras = {"model": "example", "model.weights": str(weights_path("clean"))}
    return evalharness.evaluate({**common, **theirs}), evalharness.evaluate({**common, **keras})


def test_a_folder_of_transformers_needs_no_settings(evaluated):
    result, _ = evaluated
    assert result.metrics["accuracy"] > 0.8
    assert result.classes == CLASSES
    config = result.manifest["config"]
    assert config["model"]["image_size"] == [96, 96]
    assert (config["model"]["preprocessing"], config["dataset"]["resize"]) == ("vit", "squash")
    assert result.recipe["model"]["backbone"] == "huggingface"
    assert result.manifest["provenance"]["weights"]["format"] == "huggingface"
    assert result.manifest["name"].startswith("fine-tuned on ")
    for map_id in ("libra", "rollout"):
        density = result.map(result.samples.row_id[0], map_id)
        assert density.shape == (8, 8)
        assert np.ptp(density) > 0.1


def test_its_regions_are_audited(evaluated):
    result, _ = evaluated
    audit = pd.read_parquet(result.folder / "audit.parquet")
    assert set(audit["map_id"]) >= {"libra", "rollout"}
    assert {"cat", "dog", "bird"} <= set(audit["category"])
    assert audit["share"].between(0, 1).all()
    # Erased regions are asked about in one more forward pass each.
    erasures = pd.read_parquet(result.folder / "erasures.parquet")
    assert np.stack(erasures["erased_logits"].dropna()).shape[1] == len(CLASSES)
    pulls = result.manifest["findings"]["regions"]["pull"]
    assert {cell["class_name"] for cell in pulls} == set(CLASSES)


def test_its_maps_are_tested_and_only_rollout_is_blind_to_the_head(evaluated):
    result, _ = evaluated
    trust = {entry["map_id"]: entry["measures"] for entry in result.manifest["findings"]["trust"]}
    assert trust["rollout"]["head_similarity"]["value"] == pytest.approx(1)
    assert trust["libra"]["head_similarity"]["value"] < 1


def test_animals_are_pasted_into_its_photos(evaluated):
    result, _ = evaluated
    table = pd.read_parquet(result.folder / "stress.parquet")
    assert table.groupby("category").size().to_dict() == dict.fromkeys(("bird", "cat", "dog"), 3)


def test_it_is_compared_with_a_run_of_keras_on_the_same_rows(evaluated, tmp_path):
    theirs, keras = evaluated
    process = run_here(
        "compare", keras.folder, theirs.folder, f"runs_dir={tmp_path / 'runs'}", "compare.num_flips=1", cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    assert "fine-tuned" in process.stdout + process.stderr


def test_a_photo_is_inspected_beside_it(evaluated, photos, tmp_path):
    result, _ = evaluated
    row = result.samples.iloc[0]
    process = run_here(
        "inspect", photos.root / row.path, "--run", result.folder, f"runs_dir={tmp_path / 'runs'}", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    (found,) = json.loads(process.stdout)["images"]
    assert found["verdict"] == row.pred_label
    assert found["confidence"] == pytest.approx(row.confidence, abs=1e-5)


def test_check_reads_a_folder(photos, tmp_path):
    shutil.copytree(FINE_TUNED, tmp_path / "my model")
    process = run_here(
        "check", "model=huggingface", "model.weights=my model", f"dataset.csv={photos.csv}", "model.probe=0",
        f"runs_dir={tmp_path / 'runs'}", cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert "no problem found" in process.stderr + process.stdout


def test_a_repair_refuses_them_before_anything_is_computed(evaluated, photos):
    result, _ = evaluated
    with pytest.raises(ModelError, match=r"a checkpoint cannot be repaired.*got model=huggingface"):
        evalharness.repair(result.folder, [f"repair.csv={photos.csv}", f"runs_dir={result.folder.parents[1]}"])
