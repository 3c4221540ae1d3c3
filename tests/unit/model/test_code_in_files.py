"""A file whose config holds a Lambda that would run code is read without running it."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from tiny_models import SMALL, backbone, fill, images, notebook_layers, probs_of, save, scaled

from evalharness.errors import WeightsError

MARKER = "EVALHARNESS_TEST_MARKER"


@pytest.fixture
def marker(tmp_path, monkeypatch):
    path = tmp_path / "marker"
    monkeypatch.setenv(MARKER, str(path))
    return path


@pytest.fixture(scope="module")
def carrier(tmp_path_factory):
    """Two files of a model whose first head layer leaves a marker when it is called; and its probabilities."""
    folder = tmp_path_factory.mktemp("carrier")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARKER, str(folder / "own_marker"))
        # A lambda is stored as its bytecode.
        code = tf.keras.layers.Lambda(
            lambda values: [
                values,
                __import__("pathlib").Path(__import__("os").environ["EVALHARNESS_TEST_MARKER"]).write_text("ran"),
            ][0],
        )
        flatten, *rest = notebook_layers()
        model = tf.keras.Sequential([backbone(**SMALL), flatten, code, *rest])
        fill(model, seed=8)
        expected = probs_of(model, scaled(images()))
        files = {layout: save(model, folder, layout) for layout in ("h5-model", "keras")}
    return files, expected


@pytest.mark.parametrize("layout", ["h5-model", "keras"])
def test_code_in_a_whole_model_is_not_run(layout, carrier, loader, marker):
    files, expected = carrier
    model = loader.load(files[layout], **SMALL)
    np.testing.assert_allclose(model.predict_probs(images()), expected, atol=1e-6)
    assert not marker.exists()


@pytest.mark.parametrize("layout", ["h5-model", "keras"])
def test_the_code_is_live(layout, carrier, loader, marker):
    """Loading the same file as a model runs it: the marker would show."""
    files, expected = carrier
    model = loader.load(files[layout], backbone="from_file", allow_code=True)
    assert marker.read_text() == "ran"
    np.testing.assert_allclose(model.predict_probs(images()), expected, atol=1e-6)


def test_config_of_a_whole_model_is_not_even_parsed(saved, expected, loader, tmp_path):
    path = tmp_path / "garbled.h5"
    path.write_bytes(saved["h5-model"].read_bytes())
    with h5py.File(path, "r+") as file:
        json.loads(file.attrs["model_config"])
        file.attrs["model_config"] = "{no json"
    np.testing.assert_allclose(loader.load(path).predict_probs(images()), expected, atol=1e-6)


def test_config_of_an_archive_is_not_even_parsed(saved, expected, loader, tmp_path):
    path = tmp_path / "garbled.keras"
    with zipfile.ZipFile(saved["keras"]) as good, zipfile.ZipFile(path, "w") as garbled:
        for member in good.namelist():
            garbled.writestr(member, b"{no json" if member == "config.json" else good.read(member))
    np.testing.assert_allclose(loader.load(path).predict_probs(images()), expected, atol=1e-6)


def test_allow_code_must_be_said(loader):
    with pytest.raises(ValueError, match=r"can run code: set model\.allow_code=true"):
        loader.config(backbone="from_file")


def test_a_saved_model_that_cannot_be_loaded_is_told_in_one_line(small_saved, loader, tmp_path):
    path = tmp_path / "unknown.keras"
    content = io.BytesIO()
    with zipfile.ZipFile(small_saved["keras"]) as good, zipfile.ZipFile(content, "w") as changed:
        for member in good.namelist():
            changed.writestr(member, good.read(member).replace(b"BatchNormalization", b"MyNormalization"))
    path.write_bytes(content.getvalue())
    with pytest.raises(WeightsError, match="saved model cannot be loaded: got ") as caught:
        loader.load(path, backbone="from_file", allow_code=True)
    assert len(str(caught.value).splitlines()) == 1
