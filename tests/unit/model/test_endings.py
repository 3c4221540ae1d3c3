"""The last layer: where the logits are and what the output means, or why it cannot be one label per image."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import CLASSES, SMALL, fill, images, probs_of, save

from evalharness.errors import ModelError

TWO = ("good", "scratched")


def load(loader, folder, *, classes=CLASSES, output="auto", **arguments):
    """Builds, saves and loads a model with that ending; also gives its output by Keras alone and its features."""
    settings = {"builder": "model_builders.ending", "builder_args": arguments, "preprocessing": "raw"}
    model = loader.build(**settings)
    fill(model, seed=2)
    last = model.layers[-1] if hasattr(model.layers[-1], "kernel") else model.layers[-2]
    kernel, *bias = [values.copy() for values in last.get_weights()]
    features = probs_of(tf.keras.Model(model.input, model.get_layer("ExtractToken").output), images())
    outputs = probs_of(model, images())
    path = save(model, folder, "h5")
    return loader.load(path, classes=classes, output=output, **settings), outputs, features @ kernel + sum(bias)


@pytest.mark.parametrize(
    "arguments",
    [
        {"end": "dense", "activation": "softmax"},
        {"end": "no bias", "activation": "softmax"},
        {"end": "tf.nn.softmax"},
        {"end": "softmax layer"},
        {"end": "activation layer", "activation": "softmax"},
    ],
    ids=lambda arguments: arguments["end"],
)
def test_softmax(arguments, loader, tmp_path):
    model, outputs, logits = load(loader, tmp_path, **arguments)
    np.testing.assert_allclose(model.predict_probs(images()), outputs, atol=1e-6)
    np.testing.assert_allclose(model.trace(tf.constant(images())).logits, logits, atol=1e-5)


@pytest.mark.parametrize("end", ["dense", "activation layer"])
def test_one_sigmoid_is_two_classes(end, loader, tmp_path):
    model, outputs, z = load(loader, tmp_path, end=end, units=1, activation="sigmoid", classes=TWO)
    assert outputs.shape == (3, 1)
    logits = model.trace(tf.constant(images())).logits.numpy()
    np.testing.assert_allclose(logits, np.hstack([-z / 2, z / 2]), atol=1e-5)
    probs = model.predict_probs(images()).numpy()
    np.testing.assert_allclose(probs, np.hstack([1 - outputs, outputs]), atol=1e-6)
    np.testing.assert_allclose(tf.nn.softmax(logits), probs, atol=1e-5)


def test_one_sigmoid_in_a_configured_head(loader, tmp_path):
    head = [{"layer": "dense", "units": "classes", "activation": "sigmoid"}]
    model = loader.build(num_classes=1, **SMALL, head=head)
    fill(model, seed=2)
    outputs = probs_of(model, images())
    loaded = loader.load(save(model, tmp_path, "keras"), **SMALL, head=head, classes=TWO, preprocessing="raw")
    np.testing.assert_allclose(loaded.predict_probs(images())[:, 1:], outputs, atol=1e-6)


@pytest.mark.parametrize(
    "arguments", [{"end": "dense"}, {"end": "dense", "activation": "linear"}], ids=["none", "linear"]
)
def test_linear_end_with_output_logits(arguments, loader, tmp_path):
    model, outputs, logits = load(loader, tmp_path, output="logits", **arguments)
    np.testing.assert_allclose(outputs, logits, atol=1e-5)
    np.testing.assert_allclose(model.trace(tf.constant(images())).logits, outputs, atol=1e-6)
    exponentials = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_probs(images()), softmax, atol=1e-6)


REFUSED = [
    (
        {"end": "dense"},
        "model ends without an activation: expected a softmax over the classes, one sigmoid, or a linear layer",
    ),
    ({"end": "dense", "activation": "softmax", "output": "logits"}, "model.output=logits does not fit"),
    ({"end": "dense", "activation": "sigmoid"}, "model gives several labels per image: expected one label per image"),
    ({"end": "activation layer", "activation": "sigmoid"}, "got 5 sigmoids in layer"),
    ({"end": "dense", "activation": "tanh"}, "model's last activation is not understood"),
    ({"end": "dense", "activation": "relu", "output": "logits"}, "got relu in layer"),
    ({"end": "dense", "activation": "softmax", "units": 1}, "softmax over one output is always 1"),
    ({"end": "normalization"}, "model's last layer is not understood"),
    ({"end": "lambda"}, "got Lambda"),
    ({"end": "map", "activation": "softmax"}, "model has no single vector of outputs"),
    ({"end": "dense", "activation": "softmax", "units": 4}, "expected 5 (daisy, dandelion, roses, sunflowers, tulips)"),
    ({"end": "dense", "activation": "sigmoid", "units": 1}, "got 2 (model.classes)"),
]


@pytest.mark.parametrize(("arguments", "told"), REFUSED, ids=[told[:40] for _, told in REFUSED])
def test_refused_by_name(arguments, told, loader, tmp_path):
    with pytest.raises(ModelError) as caught:
        load(loader, tmp_path, **arguments)
    message = str(caught.value)
    assert told in message
    assert "\n" not in message


def test_model_with_two_outputs_is_refused(loader):
    from evalharness.model.tracing import find_ending

    image = tf.keras.layers.Input((4,))
    model = tf.keras.Model(image, [tf.keras.layers.Dense(5, "softmax")(image), tf.keras.layers.Dense(2)(image)])
    with pytest.raises(ModelError, match="model has no single vector of outputs"):
        find_ending(model, "auto")
