"""Checkpoints of transformers and timm against what these libraries compute with the same files."""

import json

import numpy as np
import pytest
import tensorflow as tf
from checkpoint_files import CHECKPOINTS, NAMES, composed, images_for, loaded, reference

from evalharness.dataset.images import load_image
from evalharness.model.checkpoints.timm import FAMILIES, HEADS, HEADS_OF, OTHERS
from evalharness.model.preprocessing import preprocess

TOLERANCE = 1e-4
CUT = {"deit", "deit-distilled"}


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_the_attention_of_every_block(name):
    model, expected = loaded(name), reference(name)
    trace = model.trace(tf.constant(images_for(model), tf.float32))
    np.testing.assert_allclose(trace.logits, expected["logits_images"], atol=TOLERANCE)
    attentions = np.stack([attention.numpy() for attention in trace.attentions], axis=1)
    np.testing.assert_allclose(attentions, expected["attentions_images"], atol=TOLERANCE)
    assert np.ptp(expected["logits_images"]) > 1
    assert expected["attentions_images"].max() > 0.2


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_is_resized_cut_and_scaled_as_the_files_say(name):
    config, expected = composed(CHECKPOINTS / name), reference(name)
    image = load_image(CHECKPOINTS / "photo.png", image_size=config.model.image_size, config=config.dataset)
    pixels = preprocess(tf.constant(image[None], tf.float32), config.model.preprocessing)
    np.testing.assert_allclose(pixels, expected["pixels_photo"], atol=1e-5)
    logits = loaded(name).trace(tf.constant(image[None], tf.float32)).logits
    np.testing.assert_allclose(logits, expected["logits_photo"], atol=TOLERANCE)


def test_heads_of_every_plain_model_of_timm_and_others_are_refused_by_name():
    rows = json.loads((CHECKPOINTS / "timm_models.json").read_text())
    for name, hidden_size, num_heads, is_plain in rows:
        is_read = name.startswith(FAMILIES) and not any(part in name for part in OTHERS)
        assert is_plain or not is_read, name
        if is_read:
            assert HEADS_OF.get(name, HEADS.get(hidden_size)) == num_heads, name
    assert len(rows) > 100


def test_two_averaged_heads_and_folded_layer_scales_have_the_weights_of_the_graph_alone():
    names = {layer.name for layer in loaded("dinov2").keras_model.layers[0].layers}
    assert {"embedding", "class_token", "Transformer/encoder_norm", "ReadTokens"} <= names
    assert loaded("deit-distilled").feature_size == 2 * loaded("deit-distilled").hidden_size
    assert loaded("dinov2-registers").num_prefix_tokens == 5
    assert loaded("ijepa").num_prefix_tokens == 0
