"""Checkpoints of transformers and timm against what these libraries compute with the same files."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from evalharness.dataset.images import load_image
from evalharness.model.checkpoints.timm import FAMILIES, HEADS, HEADS_OF, OTHERS
from evalharness.model.preprocessing import preprocess
from tests.checkpoint_files import CHECKPOINTS, CLASSES, NAMES, composed, loaded, reference

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_logits_and_the_attention_of_every_block(name):
    expected = reference(name)
    trace = loaded(name).trace(tf.constant(expected["images"], tf.float32))
    np.testing.assert_allclose(trace.logits, expected["logits_images"], atol=TOLERANCE)
    attentions = np.stack([attention.numpy() for attention in trace.attentions], axis=1)
    np.testing.assert_allclose(attentions, expected["attentions_images"], atol=TOLERANCE)
    assert np.ptp(expected["logits_images"]) > 1
    assert expected["attentions_images"].max() > 0.2
