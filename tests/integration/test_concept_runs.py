"""Concepts through a whole evaluation of a tiny real ViT: what is stored, told, exported, compared and reused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from in_process import run_here
from scipy.special import softmax
from tiny_vit import UNDRAWN, build_tiny_model

import evalharness
from evalharness.errors import ConfigError, ResultsError
from evalharness.inference import ForwardPass
from evalharness.repairing.harm import read_harm

SETTINGS = {
    "attention__methods": ["rollout", "grad_attention"],
    "concepts__num_images": "all",
    "concepts__threshold": 1.2,
    "concepts__num_concepts": 3,
}


@pytest.fixture(scope="module")
def found(tiny_run, tmp_path_factory):
    """A finished evaluation with concepts, and its runs_dir."""
    runs_dir = tmp_path_factory.mktemp("concepts")
    values = tiny_run.overrides(runs_dir, **SETTINGS, gate__max_concept_pull=0.5)
    return evalharness.evaluate(values), runs_dir


@pytest.fixture(scope="module")
def table(found):
    return pd.read_parquet(found[0].folder / "concepts.parquet")


def test_regions_lie_where_the_first_class_specific_map_is_hot(found, table):
    result, _ = found
    plain = result.manifest["findings"]["concepts"]
    assert plain["map_id"] == "grad_attention"
    assert list(table.columns) == [
        "row_id", "concept", "split", "top", "bottom", "left", "right", "share", "mean_density", "delta_prob", "flip",
        "is_assigned", "patches",
    ]  # fmt: skip
    for row in table.to_dict("records"):
        density = result.map(row["row_id"], "grad_attention").astype(float)
        inside = np.zeros(density.size, bool)
        inside[row["patches"]] = True
        assert (density.ravel()[inside] > 1.2).all()
        assert row["share"] == pytest.approx(density.ravel()[inside].sum() / density.sum(), abs=1e-5)
        rows, columns = np.nonzero(inside.reshape(density.shape))
        box = (rows.min() / 4, (rows.max() + 1) / 4, columns.min() / 4, (columns.max() + 1) / 4)
        assert (row["top"], row["bottom"], row["left"], row["right"]) == pytest.approx(box)
    assert table.groupby("row_id").size().max() <= 3


def test_regions_of_both_halves_are_erased_and_no_photo_is_in_both(table):
    fit, claim = table[table["split"] == "fit"], table[table["split"] == "claim"]
    assert not set(fit["row_id"]) & set(claim["row_id"])
    assert table["delta_prob"].notna().all()


def test_effects_are_those_of_plain_keras(table, tiny_run):
    from PIL import Image

    model = build_tiny_model()
    model.load_weights(tiny_run.weights)
    row = table[table["split"] == "claim"].sort_values("share").iloc[-1]
    photo = Image.open(tiny_run.root / row["row_id"]).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    image = np.asarray(photo)
    hidden = np.zeros(16, bool)
    hidden[row["patches"]] = True
    pixels = np.kron(hidden.reshape(4, 4), np.ones((8, 8))) > 0
    grown = np.zeros((34, 34), bool)
    for down in range(3):
        for right in range(3):
            grown[down : down + 32, right : right + 32] |= pixels
    grown = grown[1:-1, 1:-1]
    erased = image.copy()
    erased[grown] = np.rint(image[~grown].mean(axis=0))
    before, after = model.predict(np.stack([image, erased]) / 127.5 - 1, verbose=0)
    assert row["delta_prob"] == pytest.approx(before.max() - after[before.argmax()], abs=1e-4)
    assert row["flip"] == (before.argmax() != after.argmax())


def test_pull_is_the_mean_over_photos_of_other_classes(found, table):
    result, _ = found
    stored = pd.read_parquet(result.folder / "concepts_pull.parquet")
    assert list(stored.columns) == [
        "category", "class", "n", "pull", "ci_low", "ci_high", "p_value", "significant", "pull_own",
    ]  # fmt: skip
    erasures = pd.read_parquet(result.folder / "concept_erasures.parquet")
    regions = pd.read_parquet(result.folder / "concept_regions.parquet")
    joined = regions[["row_id", "region"]].assign(concept=table["concept"], is_assigned=table["is_assigned"])
    joined = joined[table["split"] == "claim"].merge(erasures, on=["row_id", "region"])
    labels = result.samples.set_index("row_id")["label"]
    classes = list(result.classes)
    for cell in stored.to_dict("records"):
        own = joined[(joined["concept"] == int(cell["category"])) & joined["is_assigned"]]
        own = own[labels[own["row_id"]].to_numpy() != cell["class"]]
        index = classes.index(cell["class"])
        gains = [
            (row["row_id"], softmax(row["control_logits"])[index] - softmax(row["erased_logits"])[index])
            for row in own.to_dict("records")
            if not np.isnan(row["control_logits"]).any()
        ]
        means = pd.DataFrame(gains, columns=["row_id", "gain"]).groupby("row_id")["gain"].mean()
        assert cell["n"] == len(means)
        np.testing.assert_allclose(cell["pull"], means.mean() if len(means) else np.nan, atol=1e-6)


def test_centroids_are_kept_with_what_they_depend_on(found, table):
    result, _ = found
    stored = np.load(result.folder / "concepts.npz")
    assert stored["centroids"].shape == (3, 16)
    assert (int(stored["block"]), str(stored["map_id"])) == (2, "grad_attention")
    features = np.stack(pd.read_parquet(result.folder / "concept_regions.parquet")["features"])
    directions = features - stored["centre"]
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = np.linalg.norm(directions[:, None] - stored["centroids"], axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1) + 1, table["concept"])
    np.testing.assert_array_equal(distances.min(axis=1) <= stored["max_distance"] + 1e-6, table["is_assigned"])


def test_names_roles_and_gates_need_no_model(found, tiny_run, monkeypatch, tmp_path):
    result, _ = found
    folder = shutil.copytree(result.folder, tmp_path / "copy")
    monkeypatch.setattr(ForwardPass, "logits", lambda *_: pytest.fail("the model was asked"))
    values = tiny_run.overrides(
        tmp_path, **SETTINGS, output_dir=str(folder), concepts__names={1: "cat", 2: "cat"},
        concepts__roles={3: "object"}, gate__max_concept_pull=0.0, **UNDRAWN,
    )  # fmt: skip
    renamed = evalharness.evaluate(values)
    concepts = {entry["number"]: entry for entry in renamed.manifest["findings"]["concepts"]["concepts"]}
    assert [concepts[number]["name"] for number in (1, 2, 3)] == ["cat (1)", "cat (2)", "concept 3"]
    assert (concepts[3]["role"], concepts[3]["role_from"]) == ("object", "config")
    assert not concepts[3]["is_harmful"]


def test_the_report_has_a_card_a_concept_and_a_filter_for_its_photos(tiny_run, tmp_path):
    result = evalharness.evaluate(tiny_run.overrides(tmp_path / "runs", **SETTINGS))
    page = (result.folder / "report.html").read_text()
    data = json.loads(page.split('id="data"')[1].split(">", 1)[1].split("</script>")[0])
    assert page.count('<article class="concept">') == 3 == len(data["concepts"])
    table = pd.read_parquet(result.folder / "concepts.parquet")
    for entry in data["concepts"]:
        own = table[(table["concept"] == entry["number"]) & table["is_assigned"]]
        assert {data["ids"][row] for row in entry["rows"]} == set(own["row_id"])
    assert (result.folder / "figures" / "concepts.png").is_file()


def test_export_writes_coco_that_the_annotations_read(found, table, tmp_path):
    result, _ = found
    process = run_here("export", str(result.folder), "--to", str(tmp_path / "out"), "maps=none", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    document = json.loads((tmp_path / "out" / "concepts.coco.json").read_text())
    assert len(document["annotations"]) == table["is_assigned"].sum()
    first = table[table["is_assigned"]].iloc[0]
    size = next(entry for entry in document["images"] if entry["file_name"] == first["row_id"])
    left, top, width, height = document["annotations"][0]["bbox"]
    assert left / size["width"] == pytest.approx(first["left"], abs=0.02)
    assert (top + height) / size["height"] == pytest.approx(first["bottom"], abs=0.02)
    assert (left + width) / size["width"] == pytest.approx(first["right"], abs=0.02)


def test_exported_regions_are_audited_when_they_come_back(found, tiny_run, tmp_path):
    result, _ = found
    run_here("export", str(result.folder), "--to", str(tmp_path / "out"), "maps=none", cwd=tmp_path)
    values = tiny_run.overrides(
        tmp_path / "runs", attention__methods=["grad_attention"], audit__num_controls=1,
        dataset__annotations=str(tmp_path / "out" / "concepts.coco.json"), **UNDRAWN,
    )  # fmt: skip
    audited = evalharness.evaluate(values).manifest["findings"]["regions"]
    assert all(entry["looks"]["lift"]["value"] > 1 for entry in audited["categories"])
    names = {entry["name"] for entry in result.manifest["findings"]["concepts"]["concepts"]}
    assert {entry["category"] for entry in audited["categories"]} == names


def test_where_regions_are_annotated_it_is_told_what_concepts_lie_on(found, tiny_run, tmp_path):
    result, _ = found
    run_here("export", str(result.folder), "--to", str(tmp_path / "out"), "maps=none", cwd=tmp_path)
    annotations = str(tmp_path / "out" / "concepts.coco.json")
    values = tiny_run.overrides(tmp_path / "runs", **SETTINGS, dataset__annotations=annotations, **UNDRAWN)
    concepts = evalharness.evaluate(values).manifest["findings"]["concepts"]["concepts"]
    # Their own regions come back as annotations.
    assert all(entry["lies_on"] == {entry["name"]: 1.0} for entry in concepts if entry["num_regions"])
    assert all(entry["lies_on"] == {} for entry in result.manifest["findings"]["concepts"]["concepts"])


def test_compare_lines_concepts_up(found, tiny_run, tmp_path):
    result, _ = found
    other = evalharness.evaluate(
        tiny_run.overrides(tmp_path / "runs", **{**SETTINGS, "concepts__num_concepts": 2}, **UNDRAWN)
    )
    compared = evalharness.compare(result, other, overrides={"runs_dir": str(tmp_path / "runs")})
    assert len(compared.concepts) == 3
    assert set(compared.concepts["matched_by"]) == {"centroids"}
    assert compared.concepts["overlap"].between(0, 1).all()


def test_a_repair_finds_nothing_where_no_pair_was_left_to_test(found):
    result, _ = found
    with pytest.raises(ResultsError, match=r"nothing to repair: .*, got no tested category"):
        read_harm(result, 0.99)


def test_too_few_photos_are_told_with_the_number_that_would_do(tiny_run, tmp_path):
    values = tiny_run.overrides(tmp_path / "runs", **{**SETTINGS, "concepts__num_images": 5}, **UNDRAWN)
    result = evalharness.evaluate(values)
    sentence = result.manifest["findings"]["concepts"]["sentence"]
    assert sentence.startswith("Too few photos")
    assert "photos would do" in sentence
    assert not (result.folder / "concepts.parquet").exists()


def test_a_map_that_does_not_know_the_class_is_refused(tiny_run, tmp_path):
    values = tiny_run.overrides(tmp_path / "runs", attention__methods=["rollout"], concepts__num_images="all")
    with pytest.raises(ConfigError, match=r"attention\.methods"):
        evalharness.evaluate(values)


def test_a_gate_without_concepts_is_refused(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match=r"concepts\.num_images"):
        evalharness.evaluate(tiny_run.overrides(tmp_path / "runs", gate__max_concept_pull=0.1))
