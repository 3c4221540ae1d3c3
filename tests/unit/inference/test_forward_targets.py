"""Gradient-weighted attention of every target against a plain eager implementation on a functional Keras model."""

import numpy as np
import pytest
import tensorflow as tf
from small_vits import CLASSES, GRID, load_small_vit, make_forward, make_images, not_compiled, run
from vit_keras import layers

TARGETS = ("predicted", "true", "contrast", "roses")


@pytest.fixture(scope="module")
def images():
    return make_images(6)


@pytest.fixture(scope="module")
def labels(images):
    """Half of the verdicts are right."""
    verdicts = plain_logits(load_small_vit().keras_model, images).argmax(axis=1)
    return np.where(np.arange(6) % 2, verdicts, (verdicts + 1 + np.arange(6) // 2) % len(CLASSES))


@pytest.fixture(scope="module")
def output(images, labels):
    entries = [
        {"method": method, "target": target}
        for method in ("grad_attention", "legrad", "grad_cam")
        for target in TARGETS
    ]
    with not_compiled():
        return run(make_forward(load_small_vit(), entries), images, labels)


def plain_logits(keras_model, images):
    """Logarithms of the probabilities: logits but for a constant of each image."""
    return np.log(keras_model(images / np.float32(127.5) - 1, training=False).numpy().astype(np.float64))


def plain_scores(logits, labels, target):
    """By image, the classes whose logits are added and taken away."""
    for row, label in zip(logits, labels, strict=True):
        ranked = np.argsort(row)[::-1]
        match target:
            case "predicted":
                yield ranked[0], None
            case "true":
                yield label, None
            case "contrast":
                yield ranked[0], (ranked[1] if ranked[0] == label else label)
            case _:
                yield CLASSES.index(target), None


@pytest.fixture(scope="module")
def functional():
    """Pixels to features and the attention of every block."""
    backbone = load_small_vit().keras_model.layers[0]
    blocks = [layer for layer in backbone.layers if isinstance(layer, layers.TransformerBlock)]
    return tf.keras.Model(backbone.input, [backbone.output, *(block.output[1] for block in blocks)])


def plain_grad_attention(functional, head, image, plus, minus):
    """One image, one class at a time: relevance in full matrix products, in double precision."""
    with tf.GradientTape() as tape:
        values, *attentions = functional(image[None] / np.float32(127.5) - 1, training=False)
        for layer in head[:-1]:
            values = layer(values, training=False)
        logits = values @ head[-1].kernel + head[-1].bias
        score = logits[0, plus] - (0 if minus is None else logits[0, minus])
    relevance = np.eye(attentions[0].shape[-1])
    for attention, gradient in zip(attentions, tape.gradient(score, attentions), strict=True):
        cam = np.maximum(gradient.numpy().astype(np.float64) * attention.numpy(), 0)[0].mean(axis=0)
        relevance = relevance + cam @ relevance
    return relevance[0, 1:].reshape(GRID)


@pytest.mark.parametrize("target", TARGETS)
def test_grad_attention_is_the_plain_implementation(output, functional, images, labels, target):
    keras_model = load_small_vit().keras_model
    map_id = "grad_attention" if target == "predicted" else f"grad_attention.{target}"
    scores = plain_scores(plain_logits(keras_model, images), labels, target)
    for number, (plus, minus) in enumerate(scores):
        expected = plain_grad_attention(functional, keras_model.layers[1:], images[number], plus, minus)
        np.testing.assert_allclose(output.map_sums[map_id][number], expected.sum(), rtol=1e-4)
        density = expected / expected.sum() * expected.size
        np.testing.assert_allclose(output.densities[map_id][number], density, rtol=1e-4, atol=1e-4)


def test_the_labels_have_right_and_wrong_verdicts(images, labels):
    is_right = plain_logits(load_small_vit().keras_model, images).argmax(axis=1) == labels
    assert is_right.tolist() == [False, True] * 3


@pytest.mark.parametrize("method", ["grad_attention", "legrad", "grad_cam"])
def test_true_is_predicted_exactly_where_the_verdict_is_right(output, labels, method):
    is_right = output.logits.argmax(axis=1) == labels
    is_same = [
        np.allclose(output.densities[method][number], output.densities[f"{method}.true"][number], atol=1e-4)
        for number in range(len(labels))
    ]
    assert is_same == is_right.tolist()


@pytest.mark.parametrize("method", ["grad_attention", "legrad", "grad_cam"])
def test_a_named_class_is_the_true_class_where_that_is_the_label(images, output, method):
    """`true` with every label set to one class asks the same as that class by its name."""
    labels = np.full(len(images), CLASSES.index("roses"))
    with not_compiled():
        again = run(make_forward(load_small_vit(), [{"method": method, "target": "true"}]), images, labels)
    np.testing.assert_allclose(
        again.densities[f"{method}.true"], output.densities[f"{method}.roses"], rtol=1e-4, atol=1e-4
    )
