"""The bundled example's shortcut, found, mended and proved; and the weights that come out."""

import json

import numpy as np
import pandas as pd
import pytest
from in_process import run_here
from mlflow import MlflowClient
from PIL import Image

import evalharness
from evalharness.config.compose import compose_config, overrides_from
from evalharness.errors import ConfigError, DatasetError, ResultsError
from evalharness.example.model import MODEL_SIZES, weights_path
from evalharness.example.photos import CLASSES, cutouts, generate_photos, generate_repair_photos
from evalharness.manifest import read_manifest

pytestmark = pytest.mark.slow
NUM_TRAINING = 150


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("example"), num_photos=240)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    return generate_repair_photos(tmp_path_factory.mktemp("training"), num_photos=NUM_TRAINING)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def evaluate(photos, runs_dir, **values):
    given = {
        "model.weights": str(weights_path("shortcut")),
        "dataset.csv": str(photos.table_csv),
        "runs_dir": str(runs_dir),
        "faithfulness.num_images": 0,
        "concepts.num_images": 0,
        "attention.methods": ["grad_attention"],
        "audit.num_controls": 1,
        "report.contact_sheet": [],
        "report.num_logged_images": 0,
        "report.html": False,
        "report.num_pairs": 1,
        **{key.replace("__", "."): value for key, value in values.items()},
    }
    return evalharness.evaluate(compose_config(["+experiment=demo", *overrides_from(given)]))


@pytest.fixture(scope="module")
def audited(photos, runs_dir):
    return evaluate(photos, runs_dir, dataset__annotations=str(photos.annotations), tracking__run_name="shortcut")


@pytest.fixture(scope="module")
def repaired(audited, training, runs_dir):
    return evalharness.repair(audited.folder, [f"repair.csv={training}", f"runs_dir={runs_dir}"])


@pytest.fixture(scope="module")
def linear(repaired, audited, training, runs_dir):
    """The same with one linear layer, whichever is better."""
    return evalharness.repair(audited.folder, [f"repair.csv={training}", "repair.layer=linear", f"runs_dir={runs_dir}"])


def cat_to_roses(found):
    pull = found.pull[(found.pull["category"] == "cat") & (found.pull["class"] == "roses")]
    return pull.iloc[0]


def test_the_cat_no_longer_pulls_to_roses(repaired):
    pull = cat_to_roses(repaired)
    assert pull["before"] > 0.2
    assert pull["after_ci_high"] < 0.1
    assert pull["fall_ci_low"] > 0
    assert repaired.manifest["outcome"] == "repaired"
    assert repaired.sentence.startswith("Repaired: cat added")


def test_more_photos_with_cats_are_right_and_no_fewer_without(repaired):
    accuracy = repaired.accuracy.set_index("photos")
    assert accuracy.loc["cat", "num_fixed"] > accuracy.loc["cat", "num_broken"]
    assert accuracy.loc["without", "difference"] > -0.02
    assert set(accuracy.index) == {"without", "bird", "cat", "dog"}


def test_no_photo_that_a_cut_out_came_from_is_in_the_proof(repaired):
    training = repaired.manifest["training"]
    # Each scene is of one cat: what was cut out and what was proved on are all of them at most.
    assert training["num_cutouts"]["cat"] + repaired.accuracy.set_index("photos").loc["cat", "n"] <= 40
    assert training["categories"] == {"cat": NUM_TRAINING}


def test_both_layers_are_told_the_better_first(repaired):
    layers = repaired.manifest["layers"]
    assert {layer["name"] for layer in layers} == {"linear", "last"}
    assert layers[0]["log_loss"] < layers[1]["log_loss"]
    overrides = ["model/head=linear"] if layers[0]["name"] == "linear" else []
    assert repaired.manifest["weights"]["overrides"] == overrides


def plain_keras(path):
    """The weights in a model that Keras and vit-keras alone build."""
    import tensorflow as tf
    from vit_keras import vit

    backbone = vit.build_model(**MODEL_SIZES, name="vit_tiny", classes=0, include_top=False, dropout=0.0)
    model = tf.keras.Sequential([backbone, tf.keras.layers.Dense(len(CLASSES), "softmax")])
    model.load_weights(path)
    return model


def test_the_weights_load_with_plain_keras(linear, photos):
    rows = linear.predictions[linear.predictions["pasted"].isna()].head(12)
    size = (MODEL_SIZES["image_size"],) * 2
    images = [Image.open(photos.root / row_id).resize(size, Image.Resampling.BILINEAR) for row_id in rows["row_id"]]
    inputs = np.stack([np.asarray(image, np.float32) for image in images]) / 127.5 - 1
    probs = plain_keras(linear.weights).predict(inputs, verbose=0)
    np.testing.assert_allclose(probs.max(axis=1), rows["confidence_after"], atol=1e-5)
    assert [CLASSES[verdict] for verdict in probs.argmax(axis=1)] == rows["pred_label_after"].tolist()


def test_run_evaluates_them_with_the_linear_head(linear, photos, runs_dir):
    values = {"model.weights": str(linear.weights), "attention.methods": [], "tracking.run_name": "repaired"}
    assert linear.manifest["weights"]["overrides"] == ["model/head=linear"]
    given = {
        "model.probe": 0, "dataset.csv": str(photos.table_csv), "runs_dir": str(runs_dir), "report.html": False,
        "report.contact_sheet": [], **values,
    }  # fmt: skip
    result = evalharness.evaluate(["model=example", "model/head=linear", *overrides_from(given)])
    rows = linear.predictions[linear.predictions["pasted"].isna()].set_index("row_id")
    samples = result.samples.set_index("row_id")
    np.testing.assert_allclose(samples["confidence"], rows["confidence_after"].reindex(samples.index), atol=1e-5)
    # The evaluation's logged model is the one that the repair made.
    client = MlflowClient(f"sqlite:///{runs_dir}/mlflow.db")
    outputs = client.get_run(linear.run_id).outputs.model_outputs
    sha256 = client.get_logged_model(outputs[0].model_id).tags["weights_sha256"]
    assert sha256 == result.recipe["model"]["weights_sha256"]
    (found,) = client.search_runs(["1"], "attributes.run_name = 'repaired'")
    run = client.get_run(found.info.run_id)
    assert [entry.model_id for entry in run.inputs.model_inputs] == [outputs[0].model_id]


def test_the_repair_is_a_run_that_is_linked_to_the_one_it_repairs(repaired, audited, runs_dir):
    client = MlflowClient(f"sqlite:///{runs_dir}/mlflow.db")
    run = client.get_run(repaired.run_id)
    (found,) = client.search_runs(["1"], "attributes.run_name = 'shortcut'")
    evaluated = client.get_run(found.info.run_id)
    assert run.data.tags["repaired_run"] == evaluated.info.run_id
    assert (run.data.tags["kind"], run.data.tags["outcome"]) == ("repair", "repaired")
    assert client.get_run(evaluated.data.tags["repaired_by"]).data.tags["kind"] == "repair"
    assert [entry.model_id for entry in run.inputs.model_inputs] == [
        entry.model_id for entry in evaluated.inputs.model_inputs
    ]
    assert run.data.metrics["repair/cat/pull_to_roses_after"] == pytest.approx(cat_to_roses(repaired)["after"])
    names = {entry.path for entry in client.list_artifacts(repaired.run_id, "repair")}
    assert {"repair/repaired.h5", "repair/report.html", "repair/manifest.json"} <= names
    with pytest.raises(ResultsError, match="expected the folder of an evaluation, got a repair"):
        read_manifest(repaired.folder)


def test_figures_and_report_show_before_and_after(repaired):
    assert {path.name for path in (repaired.folder / "figures").iterdir()} == {"accuracy.png", "maps.png", "pull.png"}
    page = (repaired.folder / "report.html").read_text(encoding="utf-8")
    assert repaired.sentence.split(";")[0] in page
    assert page.count("data:image/") == 3


def test_the_command_again_asks_the_model_nothing_and_takes_the_layer_that_is_wanted(
    repaired, audited, training, runs_dir
):
    arguments = [audited.folder, f"repair.csv={training}", "repair.layer=last", f"runs_dir={runs_dir}"]
    process = run_here("repair", *arguments, f"repair.export={runs_dir / 'pasted'}", cwd=runs_dir)
    assert process.returncode == 0, process.stderr
    assert "forward passes" not in process.stderr
    assert f"features of {2 * NUM_TRAINING} images are kept from before" in process.stderr
    assert "fitted anew: the head's last layer" in process.stderr
    table = pd.read_csv(runs_dir / "pasted" / "pasted_photos.csv")
    assert table["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, NUM_TRAINING // len(CLASSES))
    assert Image.open(runs_dir / "pasted" / table["path"][0]).size == (MODEL_SIZES["image_size"],) * 2


def test_evaluated_photos_are_refused_for_training(audited, photos, runs_dir):
    with pytest.raises(DatasetError, match="training photos are among the evaluated ones"):
        evalharness.repair(audited.folder, [f"repair.csv={photos.table_csv}", f"runs_dir={runs_dir}"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "got 0"),
        (["repair.csv=there.csv", "model.image_size=3"], "a repair takes this from the run"),
        (["repair.csv=gone.csv"], "gone.csv"),
    ],
)
def test_what_is_missing_is_told_first(arguments, part, audited, tmp_path):
    (tmp_path / "there.csv").write_text("path,label\n", encoding="utf-8")
    runs = [audited.folder] if arguments else []
    process = run_here("repair", *runs, *arguments, cwd=tmp_path)
    assert process.returncode in (1, 2)
    assert part in process.stderr
    assert "Traceback" not in process.stderr


@pytest.fixture(scope="module")
def cutouts_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cutouts")
    for animal, images in cutouts(height=96).items():
        (folder / animal).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image, "RGBA").save(folder / animal / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def unaudited(photos, runs_dir):
    return evaluate(
        photos, runs_dir, attention__methods=[], limit=60, dataset__clean_column=None, dataset__group=None,
    )  # fmt: skip


def test_without_an_audit_pasted_cut_outs_tell_what_harms(unaudited, training, cutouts_folder, runs_dir):
    arguments = [f"repair.csv={training}", f"repair.cutouts={cutouts_folder}", f"runs_dir={runs_dir}"]
    found = evalharness.repair(unaudited.folder, arguments)
    harm = found.manifest["harm"]
    assert harm["source"] == "cutouts"
    assert ("cat", "roses") in {(cell["category"], cell["class_name"]) for cell in harm["cells"]}
    assert found.manifest["training"]["num_cutouts"] == {"bird": 3, "cat": 3, "dog": 3}
    assert cat_to_roses(found)["fall_ci_low"] > 0
    assert found.accuracy.set_index("photos")["pasted"].to_dict() == {
        "without": False, "bird": True, "cat": True, "dog": True,
    }  # fmt: skip


def test_without_an_audit_and_without_cut_outs_nothing_is_known(unaudited, training, runs_dir):
    with pytest.raises(ConfigError, match="nothing is known to harm the run"):
        evalharness.repair(unaudited.folder, [f"repair.csv={training}", f"runs_dir={runs_dir}"])


def test_discovered_concepts_are_cut_out_by_their_boxes(audited, training, runs_dir, tmp_path, photos):
    """As the stage `concepts` stores them: a row a region, and the pull by number."""
    result = evaluate(photos, runs_dir, dataset__clean_column=None, output_dir=str(tmp_path / "found"))
    boxes = json.loads(photos.annotations.read_text(encoding="utf-8"))
    cats = {entry["id"] for entry in boxes["categories"] if entry["name"] == "cat"}
    images = {entry["id"]: entry for entry in boxes["images"]}
    rows = []
    for number, entry in enumerate(entry for entry in boxes["annotations"] if entry["category_id"] in cats):
        image, (left, top, width, height) = images[entry["image_id"]], entry["bbox"]
        rows.append(
            {
                "row_id": image["file_name"], "concept": 3, "split": "fit" if number % 2 else "claim",
                "top": top / image["height"], "bottom": (top + height) / image["height"],
                "left": left / image["width"], "right": (left + width) / image["width"], "is_assigned": True,
            }
        )  # fmt: skip
    pd.DataFrame(rows).to_parquet(result.folder / "concepts.parquet", index=False)
    pull = pd.read_parquet(audited.folder / "audit_pull.parquet")
    pull[pull["category"] == "cat"].assign(category="3").to_parquet(
        result.folder / "concepts_pull.parquet", index=False
    )
    manifest = json.loads((result.folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["findings"]["concepts"] = {"concepts": [{"number": 3, "name": "concept 3", "role": "distractor"}]}
    (result.folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    found = evalharness.repair(result.folder, [f"repair.csv={training}", f"runs_dir={runs_dir}"])
    assert found.manifest["harm"]["source"] == "concepts"
    entry = found.pull[(found.pull["category"] == "concept 3") & (found.pull["class"] == "roses")].iloc[0]
    assert entry["before"] > 0.1
    assert entry["fall_ci_low"] > 0


@pytest.mark.exhaustive
def test_what_was_discovered_without_annotations_is_repaired_too(runs_dir, tmp_path_factory):
    photos = generate_photos(tmp_path_factory.mktemp("all"))
    training = generate_repair_photos(tmp_path_factory.mktemp("more"), num_photos=300)
    result = evaluate(photos, runs_dir, concepts__num_images="all")
    concepts = result.manifest["findings"]["concepts"]["concepts"]
    (name,) = [concept["name"] for concept in concepts if concept["is_harmful"]]
    found = evalharness.repair(result.folder, [f"repair.csv={training}", f"runs_dir={runs_dir}"])
    assert found.manifest["harm"]["source"] == "concepts"
    assert found.manifest["outcome"] == "repaired"
    entry = found.pull[(found.pull["category"] == name) & (found.pull["class"] == "roses")].iloc[0]
    assert entry["before"] > 0.2
    assert entry["after_ci_high"] < 0.1
    # The animal that it stands for is annotated, which the repair did not know.
    rows = found.predictions[found.predictions["row_id"].str.contains("-cat")]
    before, after = ((rows["label"] == rows[f"pred_label_{when}"]).mean() for when in ("before", "after"))
    assert before < 0.75
    assert after > 0.9
