"""Whatever was frozen and however Keras wrote it: the loaded model says what the saved one said."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    FILES,
    SMALL,
    SOFTMAX_HEAD,
    fill,
    freeze,
    images,
    notebook_model,
    probs_of,
    save,
    scaled,
)

from evalharness.errors import WeightsError

PATTERNS = (
    "all trainable",
    "all frozen",
    "all but the last two blocks frozen",
    "first half and encoder_norm frozen",
    "parts of blocks and of the head frozen",
)
PARTLY_FROZEN = PATTERNS[2:]


@pytest.fixture
def frozen(notebook):
    """Freezes parts of the shared model, and thaws them in the end."""
    yield lambda pattern: freeze(notebook, pattern)
    freeze(notebook, "all trainable")


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("layout", FILES)
def test_probabilities_are_those_of_the_saving_model(layout, pattern, notebook, expected, frozen, loader, tmp_path):
    frozen(pattern)
    path = save(notebook, tmp_path, layout)
    model = loader.load(path)
    assert model.weights.file_format == layout
    np.testing.assert_allclose(model.predict_probs(images()), expected, atol=1e-6)
    logits = model.trace(tf.constant(images())).logits
    np.testing.assert_allclose(tf.nn.softmax(logits), expected, atol=1e-6)


@pytest.mark.parametrize("pattern", PARTLY_FROZEN)
def test_plain_keras_reads_the_same_file_wrongly(pattern, notebook, expected, frozen, loader, saved, tmp_path):
    """The data can tell a reader by position from ours."""
    loader.load(saved["h5"])
    receiver = loader.model
    receiver.load_weights(saved["h5"])
    np.testing.assert_allclose(probs_of(receiver, scaled(images())), expected, atol=1e-6)
    frozen(pattern)
    path = save(notebook, tmp_path, "h5")
    try:
        receiver.load_weights(path)
    except ValueError:
        return
    assert np.abs(probs_of(receiver, scaled(images())) - expected).max() > 1e-3


HIDDEN = ({"layer": "dense", "units": 16, "activation": "tanh"}, {"layer": "batch_normalization"})
DEEP = {"num_layers": 11, "head": (*HIDDEN * 11, *SOFTMAX_HEAD)}
"""`_10` sorts before `_9`, among blocks and in the head."""


@pytest.fixture(scope="module")
def deep_files(loader, tmp_path_factory):
    model, folder = loader.build(**DEEP), tmp_path_factory.mktemp("deep")
    fill(model, seed=4)
    freeze(model, "first half and encoder_norm frozen")
    files = {layout: save(model, folder, layout) for layout in FILES}
    freeze(model, "all trainable")
    return files, probs_of(model, scaled(images()))


@pytest.mark.parametrize("layout", FILES)
def test_more_than_ten_layers_of_a_kind(layout, deep_files, loader):
    files, expected = deep_files
    loaded = loader.load(files[layout], **DEEP)
    assert loaded.num_layers == 11
    np.testing.assert_allclose(loaded.predict_probs(images()), expected, atol=1e-6)


@pytest.fixture(scope="module")
def trained():
    """A model that Keras has compiled and fitted: it carries an optimizer and metrics, which Keras saves as well."""
    model = notebook_model(seed=3, **SMALL)
    freeze(model, "all but the last two blocks frozen")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    model.fit(scaled(images()), np.array([0, 1, 2]), epochs=1, verbose=0)
    return model


@pytest.mark.parametrize("layout", FILES)
def test_optimizer_and_metrics_in_the_file_are_passed_over(layout, trained, loader, tmp_path):
    loaded = loader.load(save(trained, tmp_path, layout), **SMALL)
    np.testing.assert_allclose(loaded.predict_probs(images()), probs_of(trained, scaled(images())), atol=1e-6)


@pytest.mark.parametrize("layout", ["h5-model", "keras"])
def test_from_file_loads_architecture_and_weights(layout, trained, loader, tmp_path):
    loaded = loader.load(save(trained, tmp_path, layout), backbone="from_file", allow_code=True)
    np.testing.assert_allclose(loaded.predict_probs(images()), probs_of(trained, scaled(images())), atol=1e-6)
    assert (loaded.num_layers, loaded.num_heads, loaded.patch_size, loaded.hidden_size) == (1, 2, 8, 16)


@pytest.mark.parametrize("layout", ["h5", "weights.h5"])
def test_from_file_needs_an_architecture(layout, saved, loader):
    with pytest.raises(WeightsError, match="weights without an architecture: expected a whole model"):
        loader.load(saved[layout], backbone="from_file", allow_code=True)
