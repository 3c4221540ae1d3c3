"""Whole evaluations of a tiny real ViT through Hydra, TensorFlow and MLflow on SQLite."""

import json
import os
import signal
import subprocess
import sys
import time

import mlflow
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from tiny_vit import CLASSES, UNDRAWN, build_tiny_model, write_photos
from vit_keras import layers, visualize

import evalharness
from evalharness.results import StoredResult

ALL_METHODS = ["libra", "grad_attention", "rollout", "last_attention"]


def keras_probs(tiny_run, rows):
    """The same images through plain Keras, one step at a time."""
    model = build_tiny_model()
    model.load_weights(tiny_run.weights)
    paths = [tiny_run.root / row.base_path / row.type_dir / row.file_name for row in rows.itertuples()]
    images = [Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR) for path in paths]
    return model, np.stack(images).astype(np.float32), model.predict(np.stack(images) / 127.5 - 1, verbose=0)


@pytest.fixture(scope="module")
def finished(tiny_run, tmp_path_factory):
    """One evaluation with every method."""
    runs_dir = tmp_path_factory.mktemp("runs")
    return evalharness.evaluate(tiny_run.overrides(runs_dir, attention__methods=ALL_METHODS)), runs_dir


def test_probabilities_and_metrics_are_those_of_plain_keras_and_scikit_learn(finished, tiny_run):
    result, _ = finished
    rows = pd.read_csv(tiny_run.csv, dtype=str)
    _, _, probs = keras_probs(tiny_run, rows)
    assert result.samples.row_id.tolist() == (rows.base_path + "/" + rows.type_dir + "/" + rows.file_name).tolist()
    np.testing.assert_allclose(result.samples[[f"prob_{name}" for name in CLASSES]], probs, atol=1e-5)
    pred_labels = np.array(CLASSES)[probs.argmax(axis=1)]
    assert len(set(pred_labels)) > 1
    assert result.metrics["accuracy"] == accuracy_score(rows.type_dir, pred_labels)
    assert result.metrics["macro_f1"] == pytest.approx(
        f1_score(rows.type_dir, pred_labels, average="macro", labels=list(CLASSES), zero_division=0)
    )
    counts = pd.read_csv(result.folder / "confusion_matrix.csv", index_col=0)
    np.testing.assert_array_equal(counts, confusion_matrix(rows.type_dir, pred_labels, labels=list(CLASSES)))


def test_rollout_is_what_vit_keras_computes_before_it_resizes(finished, tiny_run, monkeypatch):
    """Its second resize receives the map divided by its maximum, at patch resolution."""
    result, _ = finished
    rows = pd.read_csv(tiny_run.csv, dtype=str)
    model, images, _ = keras_probs(tiny_run, rows.head(6))
    seen = []
    resize = visualize.cv2.resize

    def spy(image, size, *arguments, **options):
        seen.append(np.array(image))
        return resize(image, size, *arguments, **options)

    monkeypatch.setattr(visualize.cv2, "resize", spy)
    for position, image in enumerate(images):
        seen.clear()
        visualize.attention_map(model.layers[0], image)
        ours = result.map(result.samples.row_id[position], "rollout")
        # Stored as float16 densities: relative precision 5e-4; the exact values are compared in the next test.
        np.testing.assert_allclose(ours / ours.max(), seen[1], atol=1e-3)
        assert seen[1].shape == (4, 4)


def test_stored_map_sums_are_float64_sums_of_the_raw_relevance(finished):
    result, _ = finished
    sums = result.samples["map_sum_rollout"]
    assert ((sums > 0) & (sums < 1)).all()


def test_every_image_has_finite_maps_of_mean_one_for_every_method(finished):
    """But where no patch speaks for the verdict: libra has no map there, and says so with a sum of 0."""
    result, _ = finished
    for map_id in ALL_METHODS:
        maps = np.asarray(result.maps(map_id), np.float32)
        assert maps.shape == (40, 4, 4)
        has_map = (result.samples[f"map_sum_{map_id}"] > 0).to_numpy()
        assert has_map.all() or (map_id == "libra" and has_map.mean() > 0.9)
        assert np.isnan(maps[~has_map]).all()
        np.testing.assert_allclose(maps[has_map].mean(axis=(1, 2)), 1, atol=2e-3)
        assert (maps[has_map] >= 0).all()
    signed = np.load(result.folder / "maps" / "libra.signed.npy")
    assert (signed[~(result.samples["map_sum_libra"] > 0).to_numpy()] <= 0).all()
    assert result.samples["completeness_error_libra"].max() < 1e-4


def test_each_image_passes_forward_once_for_prediction_and_all_maps(tiny_run, tmp_path, monkeypatch, loaded_anew):
    """The real executions of every block's attention are counted, inside the compiled graph."""
    counted = []
    original = layers.MultiHeadSelfAttention.attention

    def counting(self, query, key, value):
        size = tf.py_function(lambda x: counted.append(len(x)) or len(x), [query], tf.int32)
        with tf.control_dependencies([size]):
            return original(self, tf.identity(query), key, value)

    monkeypatch.setattr(layers.MultiHeadSelfAttention, "attention", counting)
    evalharness.evaluate(tiny_run.overrides(tmp_path, attention__methods=ALL_METHODS, batch_size=16, **UNDRAWN))
    # Two blocks, batches of 16, 16 and 8; and one batch when the loaded model is checked against its own output.
    in_batches = [count for count in counted if count in (16, 8)]
    assert sorted(in_batches) == [8, 8, 16, 16, 16, 16]
    check_passes = len(counted) - len(in_batches)
    assert check_passes <= 4


@pytest.mark.parametrize(
    "batch_size", [1, pytest.param(7, marks=pytest.mark.exhaustive), pytest.param(40, marks=pytest.mark.exhaustive)]
)
def test_batch_size_changes_nothing(finished, tiny_run, tmp_path, batch_size):
    result, _ = finished
    values = tiny_run.overrides(tmp_path, attention__methods=ALL_METHODS, batch_size=batch_size, **UNDRAWN)
    other = evalharness.evaluate(values)
    np.testing.assert_allclose(other.logits, result.logits, atol=2e-5)
    for map_id in ALL_METHODS:
        np.testing.assert_allclose(other.maps(map_id), result.maps(map_id), atol=4e-3)


def test_the_order_of_rows_changes_nothing_but_the_order(finished, tiny_run, tmp_path):
    result, _ = finished
    rows = pd.read_csv(tiny_run.csv, dtype=str).iloc[::-1]
    rows.to_csv(tmp_path / "reversed.csv", index=False)
    values = tiny_run.overrides(
        tmp_path,
        attention__methods=ALL_METHODS,
        dataset__csv=str(tmp_path / "reversed.csv"),
        dataset__root=str(tiny_run.root),
        **UNDRAWN,
    )
    other = evalharness.evaluate(values)
    for row_id in result.samples.row_id:
        np.testing.assert_allclose(other.map(row_id), result.map(row_id), atol=4e-3)
    for name in ("accuracy", "macro_f1", "log_loss", "ece"):
        assert other.metrics[name] == pytest.approx(result.metrics[name], abs=1e-6)


def test_the_run_is_in_mlflow(finished):
    result, runs_dir = finished
    client = mlflow.MlflowClient(f"sqlite:///{runs_dir / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("evalharness")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["accuracy"] == pytest.approx(result.metrics["accuracy"])
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert artifacts, "no artifacts"


def test_complete_results_are_reused_and_resume_false_computes_again(tiny_run, tmp_path):
    values = tiny_run.overrides(tmp_path, limit=10, **UNDRAWN)
    first = evalharness.evaluate(values)
    written = (first.folder / "manifest.json").stat().st_mtime_ns
    assert (evalharness.evaluate(values).folder / "manifest.json").stat().st_mtime_ns == written
    again = evalharness.evaluate({**values, "resume": False})
    assert again.folder == first.folder
    assert (again.folder / "manifest.json").stat().st_mtime_ns > written
    assert evalharness.evaluate({**values, "seed": 5}).folder != first.folder


def test_a_killed_evaluation_continues_where_it_stopped(finished, tiny_run, tmp_path):
    result, _ = finished
    values = tiny_run.overrides(tmp_path, attention__methods=ALL_METHODS, batch_size=1, **UNDRAWN)
    # Slowed down by a loader that waits, so that the kill lands in the middle.
    script = (
        "import sys, json, time\n"
        "import evalharness.dataset as d\n"
        "import evalharness.inference.forward as f\n"
        "call = f.ForwardPass.__call__\n"
        "f.ForwardPass.__call__ = lambda *a: (time.sleep(0.2), call(*a))[1]\n"
        "import evalharness\n"
        "evalharness.evaluate(json.loads(sys.argv[1]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, json.dumps(values)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    stored = 0
    while stored < 5 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
        stored = sum(
            int(np.load(path).sum()) for path in tmp_path.glob("results/*/done.npy") if path.stat().st_size > 128
        )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 5 <= stored < 40
    assert not list(tmp_path.glob("results/*/manifest.json"))
    calls = []
    from evalharness.inference import ForwardPass

    original = ForwardPass.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ForwardPass, "__call__", lambda self, *batch: calls.append(1) or original(self, *batch))
        continued = evalharness.evaluate(values)
    assert len(calls) <= 40 - stored
    np.testing.assert_allclose(continued.logits, result.logits, atol=2e-5)
    np.testing.assert_allclose(continued.maps("rollout"), result.maps("rollout"), atol=4e-3)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    runs = client.search_runs([client.get_experiment_by_name("evalharness").experiment_id])
    assert sorted(run.info.status for run in runs) == ["FINISHED", "KILLED"]


def test_results_are_read_without_model_weights_or_images(tiny_run, tmp_path):
    write_photos(tmp_path / "photos", num_per_class=2).to_csv(tmp_path / "photos" / "list.csv", index=False)
    values = tiny_run.overrides(tmp_path, dataset__csv=str(tmp_path / "photos" / "list.csv"), **UNDRAWN)
    folder = evalharness.evaluate(values).folder
    for photo in (tmp_path / "photos").rglob("*.jpg"):
        photo.unlink()
    script = (
        "import sys; from pathlib import Path; from evalharness.results import StoredResult\n"
        "result = StoredResult(Path(sys.argv[1])); print(result.map(result.samples.row_id[3]).mean())\n"
        "assert 'tensorflow' not in sys.modules and 'mlflow' not in sys.modules\n"
    )
    output = subprocess.run([sys.executable, "-c", script, str(folder)], check=True, capture_output=True, text=True)
    assert float(output.stdout) == pytest.approx(1, abs=1e-2)
    assert len(StoredResult(folder).samples) == 10


def test_show_draws_the_photo_beside_its_map_in_its_own_proportions(finished):
    result, _ = finished
    picture = result.show(result.samples.row_id[0])
    assert picture.size == (44 + 8 + 44, 36)
    left, right = np.asarray(picture)[:, :44], np.asarray(picture)[:, 52:]
    assert (left != right).any()


def test_skipped_images_are_counted_and_never_vanish(tiny_run, tmp_path):
    root = tmp_path / "photos"
    write_photos(root, num_per_class=3).to_csv(root / "list.csv", index=False)
    broken = root / "test" / "roses" / "0001.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    for verify in ("full", "header"):
        values = tiny_run.overrides(
            tmp_path / verify,
            dataset__csv=str(root / "list.csv"),
            dataset__on_error="skip",
            dataset__verify=verify,
            **UNDRAWN,
        )
        result = evalharness.evaluate(values)
        assert len(result.samples) == 14
        assert (result.manifest["num_rows"], result.manifest["num_skipped"]) == (15, 1)
        skipped = pd.read_csv(result.folder / "skipped.csv")
        assert skipped.row_id.tolist() == ["test/roses/0001.jpg"]
        assert len(result.logits) == len(result.maps("grad_attention")) == 14
