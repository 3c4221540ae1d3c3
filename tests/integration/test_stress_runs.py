"""Cut-outs pasted into photos, noise and artifacts, on a tiny real ViT."""

import numpy as np
import pandas as pd
import pytest
from in_process import run_here
from PIL import Image
from scipy.special import softmax
from tiny_vit import CLASSES, UNDRAWN, build_tiny_model

import evalharness
from evalharness.audit import paste_cutout
from evalharness.config.compose import overrides_from
from evalharness.dataset.pasting import paste_into
from evalharness.errors import ConfigError, DatasetError

NUM_STRESSED = 10


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    """A folder of the user's own: one red disc, one blue square."""
    folder = tmp_path_factory.mktemp("cutouts")
    rows, columns = np.mgrid[:20, :20] - 9.5
    disc = np.zeros((20, 20, 4), np.uint8)
    disc[np.hypot(rows, columns) < 9] = (255, 0, 0, 255)
    Image.fromarray(disc, "RGBA").save(folder / "disc.png")
    (folder / "square").mkdir()
    Image.fromarray(np.full((9, 9, 4), (0, 0, 255, 255), np.uint8), "RGBA").save(folder / "square" / "a.png")
    return folder


def stressed_values(tiny_run, cutouts, runs_dir, **values):
    return tiny_run.overrides(
        runs_dir,
        attention__methods=["rollout", "grad_attention"],
        stress__num_images=NUM_STRESSED,
        stress__cutouts=str(cutouts),
        report__num_pairs=2,
        report__num_logged_images=1,
        **values,
    )


@pytest.fixture(scope="module")
def stressed(tiny_run, cutouts, tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    return evalharness.evaluate(stressed_values(tiny_run, cutouts, runs_dir)), runs_dir


def test_every_category_is_pasted_into_each_chosen_photo_the_classes_taking_turns(stressed):
    result, _ = stressed
    table = pd.read_parquet(result.folder / "stress.parquet")
    assert len(table) == 2 * NUM_STRESSED
    assert set(table["category"]) == {"disc", "square"}
    labels = table.drop_duplicates("row_id")["label"]
    assert labels.value_counts().to_dict() == dict.fromkeys(CLASSES, 2)


def test_verdicts_flips_and_areas_are_those_of_plain_keras(stressed, tiny_run, cutouts):
    result, _ = stressed
    table = pd.read_parquet(result.folder / "stress.parquet")
    model = build_tiny_model()
    model.load_weights(tiny_run.weights)
    files = {"disc": cutouts / "disc.png", "square": cutouts / "square" / "a.png"}
    for row in table.to_dict("records"):
        photo = Image.open(tiny_run.root / row["row_id"]).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
        cutout = np.asarray(Image.open(files[row["category"]]))
        pasted = paste_cutout(np.asarray(photo), cutout, row_id=row["row_id"], name=row["category"])
        clean, probs = model.predict(np.stack([np.asarray(photo), pasted.image]) / 127.5 - 1, verbose=0)
        np.testing.assert_allclose(softmax(row["logits"]), probs, atol=1e-5)
        assert row["flip"] == (clean.argmax() != probs.argmax())
        assert row["pred_label"] == CLASSES[probs.argmax()]
        assert row["delta_prob"] == pytest.approx(clean.max() - probs[clean.argmax()], abs=1e-5)
        assert row["area"] == pytest.approx(pasted.mask.mean(), abs=1e-6)
        # Its own map, by the definition of a share: pixels weigh as their patch does.
        density = np.repeat(np.repeat(np.reshape(row["density"], (4, 4)), 8, axis=0), 8, axis=1)
        assert row["share"] == pytest.approx(density[pasted.mask].sum() / density.sum(), abs=1e-5)


def test_the_manifest_sums_up_and_metrics_are_few(stressed):
    result, _ = stressed
    table = pd.read_parquet(result.folder / "stress.parquet")
    found = result.manifest["findings"]["stress"]
    assert found["map_id"] == "grad_attention"
    for entry in found["categories"]:
        rows = table[table["category"] == entry["category"]]
        assert entry["flips"]["value"] == pytest.approx(rows["flip"].mean())
        assert sum(entry["flips_to"].values()) == rows["flip"].sum()
        assert result.metrics[f"stress/{entry['category']}/captured_share"] == pytest.approx(rows["share"].mean())
    assert len([name for name in result.metrics if name.startswith("stress/")]) == 4
    # Ten photos, two of each class: every class has eight photos of others, too few to be tested.
    assert {cell["num_images"] for cell in found["pull"]} == {8}
    assert (result.folder / "figures" / "stress_pull.png").is_file()


def test_other_gates_reuse_the_table_and_exit_with_three(stressed, tiny_run, cutouts, tmp_path):
    result, runs_dir = stressed
    written = (result.folder / "stress.parquet").stat().st_mtime_ns
    table = pd.read_parquet(result.folder / "stress.parquet")
    assert table["flip"].any()
    overrides = overrides_from(stressed_values(tiny_run, cutouts, runs_dir, gate__max_stress_flip_rate=0))
    process = run_here("run", *overrides, cwd=tmp_path)
    assert process.returncode == 3, process.stderr
    assert (result.folder / "stress.parquet").stat().st_mtime_ns == written
    worst = table[table["flip"] == 1].sort_values("delta_prob", ascending=False).iloc[0]
    (line,) = [line for line in process.stderr.splitlines() if f"a pasted {worst['category']} changes" in line]
    assert "gate.max_stress_flip_rate" in line
    assert f"most in {worst['row_id']}" in line
    assert "stress: a cut-out pasted" in process.stderr


def test_other_cutouts_are_pasted_anew(stressed, tiny_run, cutouts, tmp_path):
    result, runs_dir = stressed
    (tmp_path / "own").mkdir()
    Image.open(cutouts / "disc.png").rotate(0).save(tmp_path / "own" / "ball.png")
    values = stressed_values(tiny_run, tmp_path / "own", runs_dir)
    again = evalharness.evaluate(values)
    assert again.folder == result.folder
    assert set(pd.read_parquet(again.folder / "stress.parquet")["category"]) == {"ball"}
    assert [entry["category"] for entry in again.manifest["findings"]["stress"]["categories"]] == ["ball"]


def test_mistakes_are_told_before_anything_is_computed(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match=r"stress\.num_images"):
        evalharness.evaluate(tiny_run.overrides(tmp_path, gate__max_stress_flip_rate=0.1))
    with pytest.raises(DatasetError, match="cut-outs not found"):
        evalharness.evaluate(tiny_run.overrides(tmp_path, stress__num_images=2, stress__cutouts=str(tmp_path / "no")))


def test_noise_is_stored_for_every_image_and_map_and_the_noisiest_are_drawn(stressed):
    result, _ = stressed
    noise = pd.read_parquet(result.folder / "noise.parquet")
    assert len(noise) == 2 * len(result.samples)
    for map_id in ("rollout", "grad_attention"):
        rows = noise[noise["map_id"] == map_id]
        assert rows["row_id"].tolist() == result.samples["row_id"].tolist()
        assert rows["noise_rank"].min() == 1
        assert result.metrics[f"attention/{map_id}/entropy"] == pytest.approx(rows["entropy"].mean())
    first = result.manifest["findings"]["noise"]["noisiest"]["rollout"][0]
    ranks = noise[noise["map_id"] == "rollout"].set_index("row_id")["noise_rank"]
    assert ranks[first] == 1
    assert {entry["score"] for entry in result.manifest["findings"]["noise"]["mistakes"]} == {
        "entropy", "gini", "num_hot_blobs", "border_share",
    }  # fmt: skip
    assert (result.folder / "figures" / "pairs_noisiest.rollout.png").is_file()
    assert not (result.folder / "figures" / "artifacts.png").exists()


def test_a_planted_outlier_token_is_found_and_shown(tiny_run, tmp_path):
    """One patch whose position is marked far stronger than any other stays long through every block."""
    model = build_tiny_model()
    positions = next(layer for layer in model.layers[0].layers if type(layer).__name__ == "AddPositionEmbs").pe
    values = positions.numpy()
    # Token 0 is the class token; patch (1, 2) of a 4 x 4 grid is token 1 + 6.
    values[0, 7] += 500
    positions.assign(values)
    model.save_weights(tmp_path / "planted.h5")
    result = evalharness.evaluate(
        tiny_run.overrides(tmp_path / "runs", model__weights=str(tmp_path / "planted.h5"), **UNDRAWN)
    )
    norms = np.asarray(result.patch_norms, np.float32)
    assert (norms.reshape(len(norms), -1).argmax(axis=1) == 6).all()
    noise = pd.read_parquet(result.folder / "noise.parquet")
    assert (noise["num_outliers"] == 1).all()
    assert result.metrics["attention/outlier_rate"] == 1
    hot = np.asarray(result.maps("libra"), np.float32)[:, 1, 2] > 3
    assert noise["num_hot_artifacts"].tolist() == hot.astype(int).tolist()
    assert (result.folder / "figures" / "artifacts.png").is_file()


def test_padding_is_no_part_of_the_area_of_a_cut_out(tiny_run, cutouts, tmp_path, monkeypatch):
    pasted = []

    def recorded(*arguments):
        pasted.append(paste_into(*arguments))
        return pasted[-1]

    monkeypatch.setattr("evalharness.evaluating.stages.stress.stage.paste_into", recorded)
    result = evalharness.evaluate(stressed_values(tiny_run, cutouts, tmp_path, dataset__resize="pad"))
    table = pd.read_parquet(result.folder / "stress.parquet")
    photos = pasted[: len(table)]
    assert 0.7 < photos[0].photo_pixels.mean() < 0.9
    expected = [photo.mask.sum() / photo.photo_pixels.sum() for photo in photos]
    np.testing.assert_allclose(table["area"], expected, rtol=1e-5)
