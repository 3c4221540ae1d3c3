"""Real photos, real weights: accuracies as plain Keras gives them."""

import subprocess
import sys

import numpy as np
import pytest

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
def build_weights(flowers, tmp_path_factory):
    """Builds a run's full-size `.h5` once."""
    folder = tmp_path_factory.mktemp("weights")

    def build(run):
        path = folder / f"{run}.h5"
        if not path.exists():
            command = [sys.executable, str(flowers / "build_weights.py"), run, str(path)]
            subprocess.run(command, check=True, capture_output=True)
        return path

    return build


@pytest.mark.parametrize(
    ("run", "num_correct"),
    [
        pytest.param("head", 1130, marks=pytest.mark.exhaustive),
        pytest.param("robust", 1155, marks=pytest.mark.exhaustive),
        ("shortcut", 1136),
    ],
)
@pytest.mark.timeout(2400)
def test_number_of_correct_answers(flowers, build_weights, tmp_path, run, num_correct):
    result = evalharness.evaluate(
        {
            **VIT_S14,
            "model.weights": str(build_weights(run)),
            "dataset.csv": str(flowers / "testing_files.csv"),
            "attention.methods": ["rollout"],
            "runs_dir": str(tmp_path / "runs"),
        }
    )
    assert len(result.samples) == 1280
    assert abs(result.samples.correct.sum() - num_correct) <= 1
    np.testing.assert_allclose(np.asarray(result.maps("rollout"), np.float32).mean(axis=(1, 2)), 1, atol=2e-3)
