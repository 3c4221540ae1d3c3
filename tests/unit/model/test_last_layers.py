"""What the last layers see, and weights files with another one."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import CLASSES, NOTEBOOK_HEAD, SMALL, SOFTMAX_HEAD, fill, images, probs_of, save, scaled

from evalharness.errors import ModelError
from evalharness.model import LastLayers

PHOTOS = np.rint(images()).astype(np.uint8)
INPUTS = scaled(PHOTOS.astype(np.float32))


def opened(loader, tmp_path, head, *, classes=CLASSES, num_classes=5, **settings):
    """A loaded model opened at its head, and its own output by Keras alone."""
    model = loader.build(num_classes=num_classes, **SMALL, head=head)
    fill(model, seed=2)
    outputs = probs_of(model, INPUTS)
    loaded = loader.load(save(model, tmp_path, "h5"), **SMALL, head=head, classes=classes, **settings)
    return LastLayers(loaded, loader.config(**SMALL, head=head, **settings)), outputs


def softmax(logits):
    return tf.nn.softmax(logits).numpy()


@pytest.mark.parametrize(
    ("head", "names"), [(NOTEBOOK_HEAD, ("linear", "last")), (SOFTMAX_HEAD, ("linear",))], ids=["notebook", "linear"]
)
def test_the_inputs_of_the_last_layer_give_the_model_s_own_output(head, names, loader, tmp_path):
    layers, outputs = opened(loader, tmp_path, head)
    inputs = layers.inputs(PHOTOS)
    assert tuple(inputs) == layers.names == names
    np.testing.assert_allclose(softmax(layers.own_logits(inputs[layers.owner])), outputs, atol=1e-6)
    features = layers.model.trace(tf.constant(PHOTOS, tf.float32)).features
    np.testing.assert_allclose(inputs["linear"], features, atol=1e-5)


@pytest.mark.parametrize("name", ["linear", "last"])
def test_a_written_layer_loads_and_gives_what_was_fitted(name, loader, tmp_path):
    layers, outputs = opened(loader, tmp_path, NOTEBOOK_HEAD)
    inputs = layers.inputs(PHOTOS)[name]
    generator = np.random.default_rng(1)
    kernel = generator.normal(0, 1, (inputs.shape[1], 5)).astype(np.float32)
    bias = generator.normal(0, 1, 5).astype(np.float32)
    path = tmp_path / "repaired.h5"
    layers.write(name, kernel, bias, path)
    wanted = softmax(inputs @ kernel + bias)
    # The model itself is as it was.
    np.testing.assert_allclose(probs_of(layers.keras_model, INPUTS), outputs, atol=1e-6)
    head = SOFTMAX_HEAD if name == "linear" else NOTEBOOK_HEAD
    loaded = loader.load(path, **SMALL, head=head)
    np.testing.assert_allclose(loaded.predict_probs(PHOTOS.astype(np.float32)), wanted, atol=1e-5)
    plain = loader.build(**SMALL, head=head)
    plain.load_weights(path)
    np.testing.assert_allclose(probs_of(plain, INPUTS), wanted, atol=1e-5)


def test_one_sigmoid_is_fitted_as_two_classes(loader, tmp_path):
    head = [{"layer": "dense", "units": 4, "activation": "relu"}]
    head += [{"layer": "dense", "units": "classes", "activation": "sigmoid"}]
    layers, outputs = opened(loader, tmp_path, head, classes=("good", "bad"), num_classes=1)
    inputs = layers.inputs(PHOTOS)["last"]
    np.testing.assert_allclose(softmax(layers.own_logits(inputs))[:, 1:], outputs, atol=1e-6)
    kernel, bias = np.random.default_rng(1).normal(0, 1, (4, 2)), np.array([0.3, -0.1])
    path = tmp_path / "repaired.h5"
    layers.write("last", kernel, bias, path)
    loaded = loader.load(path, **SMALL, head=head, classes=("good", "bad"))
    np.testing.assert_allclose(
        loaded.predict_probs(PHOTOS.astype(np.float32)), softmax(inputs @ kernel + bias), atol=1e-5
    )


def test_a_model_that_a_builder_makes_keeps_its_head(loader, tmp_path):
    settings = {"builder": "model_builders.ending", "builder_args": {"end": "dense", "activation": "softmax"}}
    model = loader.build(**settings)
    fill(model, seed=2)
    outputs = probs_of(model, INPUTS)
    loaded = loader.load(save(model, tmp_path, "h5"), **settings)
    layers = LastLayers(loaded, loader.config(**settings))
    assert layers.names == ("last",)
    np.testing.assert_allclose(softmax(layers.own_logits(layers.inputs(PHOTOS)["last"])), outputs, atol=1e-6)


def test_a_last_layer_without_a_bias_is_refused(loader, tmp_path):
    settings = {"builder": "model_builders.ending", "builder_args": {"end": "no bias", "activation": "softmax"}}
    model = loader.build(**settings)
    fill(model, seed=2)
    layers = LastLayers(loader.load(save(model, tmp_path, "h5"), **settings), loader.config(**settings))
    with pytest.raises(ModelError, match="cannot be fitted anew"):
        layers.inputs(PHOTOS)
