"""Files that vit-keras 0.2 wrote with Keras 3 (`fixtures/make_keras3.py`)."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from evalharness.config import ModelConfig
from evalharness.model import load_model, resolve_weights

FILES = Path(__file__).parents[2] / "fixtures" / "keras3"
SIZES = {"image_size": 16, "patch_size": 4, "num_layers": 1, "hidden_size": 16, "num_heads": 2, "mlp_dim": 24}
HEAD = [
    {"layer": "flatten"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": 5, "activation": "gelu"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": "classes", "activation": "softmax"},
]


@pytest.mark.parametrize(("name", "file_format"), [("tiny.weights.h5", "weights.h5"), ("tiny.keras", "keras")])
def test_weights_of_keras_3_give_its_probabilities(name, file_format, tmp_path):
    path = FILES / "tiny.keras"
    if file_format == "weights.h5":
        # The archive holds what save_weights writes.
        with zipfile.ZipFile(path) as archive:
            path = tmp_path / name
            path.write_bytes(archive.read("model.weights.h5"))
    source = resolve_weights(str(path), tracking_uri="", cache_dir=tmp_path)
    assert source.file_format == file_format
    config = ModelConfig(weights=name, backbone="custom", preprocessing="vit", head=HEAD, **SIZES)
    model = load_model(config, classes=("a", "b", "c"), source=source)
    with np.load(FILES / "reference.npz") as reference:
        images, expected = reference["images"], reference["probs"]
    np.testing.assert_allclose(model.predict_probs(tf.constant(images)), expected, atol=1e-5)
    assert np.ptp(expected) > 0.1
