"""The reference before fine-tuning, and names for hot regions, on tiny real ViTs."""

import http.server
import json
import threading

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tiny_vit import CLASSES, TINY_SIZES, build_tiny_model

import evalharness
from evalharness import model as models
from evalharness.errors import WeightsError

SMALL = {"report__num_pairs": 1, "report__num_logged_images": 0, "report__contact_sheet": [], "report__html": False}


@pytest.fixture(scope="module")
def references(tiny_run, tmp_path_factory):
    """The run's own backbone alone; another backbone alone, in two layouts; another one with a head of 8 and of 5."""
    folder = tmp_path_factory.mktemp("references")
    own = build_tiny_model()
    own.layers[0].save_weights(folder / "frozen.h5")
    other = build_tiny_model(seed=6)
    other.layers[0].save_weights(folder / "other.h5")
    other.layers[0].save_weights(folder / "other.weights.h5")
    other.save_weights(folder / "same_head.h5")
    eight = build_tiny_model(seed=6, num_classes=8)
    eight.layers[0].set_weights(other.layers[0].get_weights())
    eight.save_weights(folder / "eight.h5")
    build_tiny_model(seed=6, num_layers=3).layers[0].save_weights(folder / "deeper.h5")
    return folder


def box_annotations(tiny_run, path):
    """A dog in the left half of ten photos, as COCO boxes."""
    rows = pd.read_csv(tiny_run.csv, dtype=str).head(10)
    names = (rows.base_path + "/" + rows.type_dir + "/" + rows.file_name).tolist()
    document = {
        "images": [{"id": i, "file_name": name, "width": 44, "height": 36} for i, name in enumerate(names)],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [0, 0, 22, 36], "iscrowd": 0, "area": 792}
            for i in range(len(names))
        ],
    }
    path.write_text(json.dumps(document))
    return path


def shares(maps):
    return maps / maps.sum(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize(
    "name",
    [
        "other.h5",
        pytest.param("other.weights.h5", marks=pytest.mark.exhaustive),
        pytest.param("eight.h5", marks=pytest.mark.exhaustive),
    ],
)
def test_maps_without_a_class_are_compared_with_those_of_the_reference_alone(tiny_run, references, tmp_path, name):
    annotations = box_annotations(tiny_run, tmp_path / "dogs.json")
    result = evalharness.evaluate(
        tiny_run.overrides(
            tmp_path / "runs",
            attention__methods=["grad_attention", "rollout"],
            model__reference=str(references / name),
            dataset__annotations=str(annotations),
            audit__num_controls=1,
            **SMALL,
        )
    )
    # The oracle: the same backbone evaluated as a run of its own, whose head rollout never sees.
    alone = evalharness.evaluate(
        tiny_run.overrides(
            tmp_path / "alone", attention__methods=["rollout"], model__weights=str(references / "same_head.h5"), **SMALL
        )
    )
    before, after = (np.asarray(run.maps("rollout"), np.float64) for run in (alone, result))
    distances = np.abs(shares(before) - shares(after)).sum(axis=(1, 2)) / 2
    table = pd.read_parquet(result.folder / "reference.parquet")
    assert set(table["map_id"]) == {"rollout"}
    assert table["row_id"].tolist() == result.samples["row_id"].tolist()
    np.testing.assert_allclose(table["total_variation"], distances, atol=1e-3)
    found = result.manifest["findings"]["before_after"]
    assert (found["is_frozen"], found["has_head"]) == (False, False)
    (change,) = found["changes"]
    left_half = [shares(maps)[:10, :, :2].sum(axis=(1, 2)).mean() for maps in (before, after)]
    assert change["before"]["value"] == pytest.approx(left_half[0], abs=1e-3)
    assert change["after"]["value"] == pytest.approx(left_half[1], abs=1e-3)
    assert change["change"]["value"] == pytest.approx(left_half[1] - left_half[0], abs=1e-3)
    assert result.metrics["reference/rollout/total_variation"] == pytest.approx(distances.mean(), abs=1e-3)
    assert (result.folder / "figures" / "before_after.png").is_file()


def test_a_reference_with_the_same_head_is_compared_class_by_class_too(tiny_run, references, tmp_path):
    result = evalharness.evaluate(
        tiny_run.overrides(
            tmp_path, model__reference=str(references / "same_head.h5"), attention__methods=["grad_attention"], **SMALL
        )
    )
    found = result.manifest["findings"]["before_after"]
    assert found["has_head"]
    # The run has no map without a class, so that rollout was computed under both.
    assert [entry["map_id"] for entry in found["movements"]] == ["rollout", "grad_attention"]
    assert all(0 < entry["total_variation"]["value"] < 1 for entry in found["movements"])


def test_a_frozen_backbone_is_told_and_not_computed(tiny_run, references, tmp_path):
    result = evalharness.evaluate(
        tiny_run.overrides(
            tmp_path, model__reference=str(references / "frozen.h5"), attention__methods=["rollout"], **SMALL
        )
    )
    found = result.manifest["findings"]["before_after"]
    assert found["is_frozen"]
    assert "by construction" in found["sentence"]
    assert result.metrics["reference/rollout/total_variation"] == 0
    assert pd.read_parquet(result.folder / "reference.parquet").empty
    assert not (result.folder / "figures" / "before_after.png").exists()


def test_another_backbone_is_refused(tiny_run, references, tmp_path):
    with pytest.raises(WeightsError, match="3 transformer blocks"):
        evalharness.evaluate(tiny_run.overrides(tmp_path, model__reference=str(references / "deeper.h5"), **SMALL))


def test_hot_regions_are_named_by_the_pre_trained_model(tiny_run, references, tmp_path):
    names = [*CLASSES, "bird", "cat", "dog"]
    result = evalharness.evaluate(
        tiny_run.overrides(
            tmp_path,
            what_is_it__num_images=3,
            what_is_it__weights=str(references / "eight.h5"),
            what_is_it__classes=names,
            **SMALL,
        )
    )
    table = pd.read_parquet(result.folder / "what_is_it.parquet")
    assert len(table) == 3
    model = build_tiny_model(num_classes=8)
    model.load_weights(references / "eight.h5")
    noisiest = result.manifest["findings"]["noise"]["noisiest"]["libra"]
    assert [noisiest.index(row_id) for row_id in table["row_id"]] == sorted(map(noisiest.index, table["row_id"]))
    for row in table.to_dict("records"):
        photo = Image.open(tiny_run.root / row["row_id"]).convert("RGB")
        width, height = photo.size
        edges = (row["left"] * width, row["top"] * height, row["right"] * width, row["bottom"] * height)
        crop = photo.crop(tuple(round(edge) for edge in edges)).resize((32, 32), Image.Resampling.BILINEAR)
        probs = model.predict(np.asarray(crop)[None] / 127.5 - 1, verbose=0)[0]
        assert row["name"] == names[probs.argmax()]
        assert row["confidence"] == pytest.approx(probs.max(), abs=1e-5)
        density = result.map(row["row_id"])
        peak = np.unravel_index(density.argmax(), density.shape)
        assert density[peak] > 3
    assert (result.folder / "figures" / "what_is_it.png").is_file()
    assert sum(result.manifest["findings"]["what_is_it"]["counts"].values()) == 3


@pytest.fixture
def server(tmp_path):
    """Serves a folder on the loopback."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def published_arrays(model):
    """A published file's arrays, by the names that vit-keras reads."""
    arrays = {}
    for number in range(TINY_SIZES["num_layers"]):
        block, prefix = model.get_layer(f"Transformer/encoderblock_{number}"), f"Transformer/encoderblock_{number}"
        owners = {
            "LayerNorm_0": (block.layernorm1, ("scale", "bias")),
            "LayerNorm_2": (block.layernorm2, ("scale", "bias")),
            "MlpBlock_3/Dense_0": (block.mlpblock.get_layer(f"{prefix}/Dense_0"), ("kernel", "bias")),
            "MlpBlock_3/Dense_1": (block.mlpblock.get_layer(f"{prefix}/Dense_1"), ("kernel", "bias")),
        }
        parts = {"query": "query_dense", "key": "key_dense", "value": "value_dense", "out": "combine_heads"}
        for name, attribute in parts.items():
            owners[f"MultiHeadDotProductAttention_1/{name}"] = (getattr(block.att, attribute), ("kernel", "bias"))
        for owner, (layer, roles) in owners.items():
            arrays |= {f"{prefix}/{owner}/{role}": w for role, w in zip(roles, layer.get_weights(), strict=True)}
    for name, roles in (
        ("embedding", ("kernel", "bias")),
        ("head", ("kernel", "bias")),
        ("Transformer/encoder_norm", ("scale", "bias")),
    ):
        weights = model.get_layer(name).get_weights()
        arrays |= {f"{name}/{role}": values for role, values in zip(roles, weights, strict=True)}
    arrays["cls"] = model.get_layer("class_token").get_weights()[0]
    arrays["Transformer/posembed_input/pos_embedding"] = model.get_layer("Transformer/posembed_input").get_weights()[0]
    return arrays


def test_published_weights_are_fetched_when_asked(server, tmp_path, monkeypatch):
    from vit_keras import vit

    folder, address = server
    sizes = {name: TINY_SIZES[name] for name in ("num_layers", "hidden_size", "num_heads", "mlp_dim")}
    monkeypatch.setattr(vit, "BASE_URL", address)
    monkeypatch.setattr(vit, "CONFIG_B", {"dropout": 0.1, **sizes})
    # Without a folder to write to, Keras would keep the file in the system's scratch folder.
    (tmp_path / "home" / ".keras").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(WeightsError, match="published weights cannot be fetched"):
        models.load_published("vit_b16", (32, 32))
    published = vit.build_model(image_size=32, patch_size=16, classes=1000, name="published", **sizes)
    np.savez(folder / "ViT-B_16_imagenet21k+imagenet2012.npz", **published_arrays(published))
    predict = models.load_published("vit_b16", (32, 32))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    logits = published.predict(images / 127.5 - 1, verbose=0).astype(np.float64)
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(predict(images), expected / expected.sum(axis=1, keepdims=True), atol=1e-6)


def test_the_thousand_names_are_distinct_and_in_order():
    names = models.imagenet_classes()
    assert len(set(names)) == len(names) == 1000
    assert names[0].startswith("tench")
    assert names[281].startswith("tabby")
