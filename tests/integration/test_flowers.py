"""Real photos, real weights: accuracies as plain Keras gives them."""

import runpy
from functools import cache

import numpy as np
import pytest
from PIL import Image

import evalharness

pytestmark = [pytest.mark.flowers, pytest.mark.slow]

VIT_S14 = {
    "model": "custom",
    "model.image_size": 224,
    "model.patch_size": 14,
    "model.num_layers": 12,
    "model.hidden_size": 384,
    "model.num_heads": 6,
    "model.mlp_dim": 1536,
    "model.preprocessing": "vit",
}


@pytest.fixture(scope="session")
def build_run(flowers):
    """Builds a run's full-size model with Keras alone, once."""
    return cache(runpy.run_path(str(flowers / "build_weights.py"))["build_run"])


@pytest.fixture(scope="session")
def build_weights(build_run, tmp_path_factory):
    """Saves a run's full-size `.h5` once."""
    folder = tmp_path_factory.mktemp("weights")

    def build(run):
        path = folder / f"{run}.h5"
        if not path.exists():
            build_run(run).save_weights(path)
        return path

    return build


def overrides(weights, flowers, runs_dir, **values):
    return {
        **VIT_S14,
        "model.weights": str(weights),
        "dataset.csv": str(flowers / "testing_files.csv"),
        "attention.methods": ["rollout"],
        "report.contact_sheet": [],
        "report.num_logged_images": 0,
        "report.html": False,
        "runs_dir": str(runs_dir),
        **{key.replace("__", "."): value for key, value in values.items()},
    }


def test_verdicts_are_those_of_plain_keras(flowers, build_run, build_weights, tmp_path):
    weights = build_weights("shortcut")
    result = evalharness.evaluate(overrides(weights, flowers, tmp_path / "runs", limit=30, model__probe=0))
    model = build_run("shortcut")
    images = [
        np.asarray(Image.open(flowers / row_id).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
        for row_id in result.samples["row_id"]
    ]
    expected = model.predict(np.stack(images) / np.float32(127.5) - 1, verbose=0)
    found = result.samples[[f"prob_{name}" for name in result.manifest["classes"]]].to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert result.samples["correct"].mean() > 0.8


@pytest.mark.exhaustive
@pytest.mark.parametrize(("run", "num_correct"), [("head", 1130), ("robust", 1155), ("shortcut", 1136)])
@pytest.mark.timeout(2400)
def test_number_of_correct_answers(flowers, build_weights, tmp_path, run, num_correct):
    result = evalharness.evaluate(overrides(build_weights(run), flowers, tmp_path / "runs"))
    assert len(result.samples) == 1280
    assert abs(result.samples.correct.sum() - num_correct) <= 1
    np.testing.assert_allclose(np.asarray(result.maps("rollout"), np.float32).mean(axis=(1, 2)), 1, atol=2e-3)
