"""One forward pass, opened up: against Keras's own intermediate outputs and against attention written in NumPy."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import NOTEBOOK_HEAD, SMALL, blocks_of, fill, images, notebook_model, probs_of, save, scaled

from evalharness.model.preprocessing import preprocess


@pytest.fixture(scope="module")
def inside(notebook):
    """By Keras: outputs of the blocks, their attention, and the features, of three photos."""
    pairs = [block.output for block in blocks_of(notebook)]
    vit_model = notebook.layers[0]
    outputs = [[tokens for tokens, _ in pairs], [attention for _, attention in pairs], vit_model.output]
    return tf.keras.Model(vit_model.input, outputs)(scaled(images()), training=False)


@pytest.fixture
def model(loader, saved):
    return loader.load(saved["h5"])


@pytest.fixture
def trace(model):
    return model.trace(tf.constant(images()))


def test_shapes(trace):
    assert trace.logits.shape == (3, 5)
    assert trace.features.shape == (3, 16)
    assert [attention.shape for attention in trace.attentions] == [(3, 2, 17, 17)] * 4
    assert [tokens.shape for tokens in trace.block_outputs] == [(3, 17, 16)] * 4
    assert trace.last_normalized.shape == (3, 17, 16)


def test_rows_of_attention_sum_to_one(trace):
    for attention in trace.attentions:
        np.testing.assert_allclose(np.sum(attention, axis=-1), 1, atol=1e-6)
        assert np.min(attention) > 0


def test_equal_to_what_keras_computes(trace, inside):
    blocks, attentions, features = inside
    for ours, theirs in zip(trace.block_outputs, blocks, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for ours, theirs in zip(trace.attentions, attentions, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(trace.features, features, atol=1e-5)


def test_last_block_output_leads_to_features_and_logits(trace, model, notebook):
    normalized = notebook.layers[0].get_layer("Transformer/encoder_norm")(trace.block_outputs[-1])
    np.testing.assert_allclose(normalized[:, 0], trace.features, atol=1e-6)
    np.testing.assert_allclose(model.readout(trace.block_outputs[-1], "cls"), trace.logits, atol=1e-6)


def test_mean_readout_pools_all_tokens_after_the_norm(trace, model, notebook):
    pooled = tf.reduce_mean(notebook.layers[0].get_layer("Transformer/encoder_norm")(trace.block_outputs[1]), axis=1)
    values = pooled
    for layer in notebook.layers[1:-1]:
        values = layer(values, training=False)
    logits = values @ notebook.layers[-1].kernel + notebook.layers[-1].bias
    np.testing.assert_allclose(model.readout(trace.block_outputs[1], "mean"), logits, atol=1e-5)


def test_attention_of_the_last_block_in_numpy(trace, notebook):
    block = blocks_of(notebook)[-1]
    tokens = trace.block_outputs[-2].numpy().astype(np.float64)
    centred = tokens - tokens.mean(-1, keepdims=True)
    normalized = centred / np.sqrt(tokens.var(-1, keepdims=True) + 1e-6)
    normalized = normalized * block.layernorm1.gamma.numpy() + block.layernorm1.beta.numpy()
    np.testing.assert_allclose(trace.last_normalized, normalized, atol=1e-5)
    query, key = (
        normalized @ dense.kernel.numpy() + dense.bias.numpy() for dense in (block.att.query_dense, block.att.key_dense)
    )
    for head in range(2):
        part = slice(8 * head, 8 * head + 8)
        scores = np.exp(query[..., part] @ key[..., part].swapaxes(1, 2) / np.sqrt(8))
        np.testing.assert_allclose(trace.attentions[-1][:, head], scores / scores.sum(-1, keepdims=True), atol=1e-5)


def test_logits_of_an_image_do_not_depend_on_its_batch(trace, model):
    """BatchNormalization uses its moving statistics, and dropout is off."""
    alone = [model.trace(tf.constant(image[None])).logits[0] for image in images()]
    np.testing.assert_allclose(trace.logits, alone, atol=1e-5)


def test_trace_compiled_equals_eager(trace, model):
    compiled = tf.function(model.trace)(tf.constant(images()))
    np.testing.assert_allclose(compiled.logits, trace.logits, atol=1e-5)


def test_attention_has_a_gradient_in_a_frozen_model(model):
    model.keras_model.trainable = False
    try:
        with tf.GradientTape() as tape:
            pixels = tf.constant(images())
            tape.watch(pixels)
            trace = model.trace(pixels)
            score = tf.reduce_sum(trace.logits[:, 0])
        gradients = tape.gradient(score, trace.attentions)
    finally:
        model.keras_model.trainable = True
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_preprocessing(loader, gelus):
    pixels = tf.constant([[0.0, 127.5, 255.0]])
    np.testing.assert_array_equal(preprocess(pixels, "raw"), pixels)
    np.testing.assert_allclose(preprocess(pixels, "vit"), [[-1, 0, 1]])
    source, _, path = gelus
    raw, vit = probs_of(source, images()), probs_of(source, scaled(images()))
    assert np.abs(raw - vit).max() > 0.01
    for preprocessing, own, other in (("raw", raw, vit), ("vit", vit, raw)):
        model = loader.load(path, **SMALL, preprocessing=preprocessing)
        np.testing.assert_allclose(model.predict_probs(images()), own, atol=1e-6)
        np.testing.assert_allclose(tf.nn.softmax(model.trace(tf.constant(images())).logits), own, atol=1e-6)
        another = "vit" if preprocessing == "raw" else "raw"
        np.testing.assert_allclose(model.predict_probs(images(), another), other, atol=1e-6)


def test_images_that_are_not_square(loader, tmp_path):
    sizes = {**SMALL, "image_size": (24, 40)}
    source = notebook_model(**sizes)
    photos = images(size=(24, 40))
    model = loader.load(save(source, tmp_path, "keras"), **sizes)
    assert (model.image_size, model.grid_size) == ((24, 40), (3, 5))
    trace = model.trace(tf.constant(photos))
    assert trace.attentions[0].shape == (3, 2, 16, 16)
    np.testing.assert_allclose(tf.nn.softmax(trace.logits), probs_of(source, scaled(photos)), atol=1e-6)
    # Patches are numbered row by row: a change in the top right corner is the fifth token's alone at the embedding.
    changed = photos.copy()
    changed[:, :8, 32:] = 0
    embedding = source.layers[0].get_layer("embedding")
    moved = np.abs(embedding(photos) - embedding(changed)).max(axis=(0, 3)) > 0
    assert [tuple(place) for place in np.argwhere(moved)] == [(0, 4)]


def test_bfloat16_is_close_and_gives_float32(loader, small_saved):
    expected = loader.load(small_saved["h5"], **SMALL).predict_probs(images())
    model = loader.load(small_saved["h5"], **SMALL, precision="bfloat16")
    probs = model.predict_probs(images())
    assert probs.dtype == tf.float32
    deviation = np.abs(probs - expected).max()
    assert 0 < deviation < 0.05
    trace = model.trace(tf.constant(images()))
    assert trace.logits.dtype == tf.float32
    np.testing.assert_allclose(tf.nn.softmax(trace.logits), probs, atol=1e-5)
    assert trace.attentions[0].dtype == tf.bfloat16
    np.testing.assert_allclose(np.sum(np.asarray(trace.attentions[-1], np.float32), axis=-1), 1, atol=0.02)
    assert tf.keras.mixed_precision.global_policy().name == "float32"


@pytest.mark.parametrize("end", ["dense", "softmax layer"])
def test_bfloat16_of_a_builder(end, loader, tmp_path):
    """Its head computes in bfloat16 too; the logits still give its output."""
    activation = "softmax" if end == "dense" else None
    settings = {"builder": "model_builders.ending", "builder_args": {"end": end, "activation": activation}}
    source = loader.build(**settings)
    fill(source, seed=2)
    expected = probs_of(source, scaled(images()))
    model = loader.load(save(source, tmp_path, "h5"), precision="bfloat16", **settings)
    probs = model.predict_probs(images())
    assert probs.dtype == tf.float32
    np.testing.assert_allclose(probs, expected, atol=0.05)


@pytest.fixture(scope="module")
def gelus(tmp_path_factory):
    """Plain Keras models of equal weights, that differ in the form of gelu; and the file of one."""
    import tensorflow_addons as tfa

    tanh = notebook_model(gelu=tfa.activations.gelu, **SMALL)
    exact = tf.keras.Sequential(
        [tanh.layers[0], *[type(layer).from_config(layer.get_config()) for layer in tanh.layers[1:]]]
    )
    exact.layers[3].activation = tf.keras.activations.gelu
    exact.set_weights(tanh.get_weights())
    return tanh, exact, save(tanh, tmp_path_factory.mktemp("gelu"), "h5")


class TestGelu:
    """The notebook's head computes gelu in the tanh form, as tensorflow-addons does unless told otherwise."""

    def test_tanh_form(self, gelus, loader):
        tanh, exact, path = gelus
        photos = images(16)
        probs = loader.load(path, **SMALL).predict_probs(photos)
        np.testing.assert_allclose(probs, probs_of(tanh, scaled(photos)), atol=1e-5)
        # The data can tell the two forms apart.
        assert np.abs(probs - probs_of(exact, scaled(photos))).max() > 1e-5

    def test_exact_form_can_be_configured(self, gelus, loader):
        _, exact, path = gelus
        head = [{**layer, "activation": "gelu"} if layer.get("units") == 21 else layer for layer in NOTEBOOK_HEAD]
        probs = loader.load(path, **SMALL, head=head).predict_probs(images(16))
        np.testing.assert_allclose(probs, probs_of(exact, scaled(images(16))), atol=1e-6)

    def test_formula(self, gelus, loader):
        _, _, path = gelus
        dense = loader.load(path, **SMALL).keras_model.layers[3]
        x = np.linspace(-4, 4, 41)
        expected = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        np.testing.assert_allclose(dense.activation(tf.constant(x, tf.float32)), expected, atol=1e-6)
