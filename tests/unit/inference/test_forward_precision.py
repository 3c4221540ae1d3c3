"""Maps in bfloat16 beside those in float32."""

import numpy as np
import pytest
import tensorflow as tf
from small_vits import load_small_vit, make_forward, make_images, not_compiled, run

from evalharness.attention import METHODS

ENTRIES = [
    *({"method": method, "target": "roses"} for method in METHODS),
    {"method": "legrad", "name": "at_cls", "target": "roses", "options": {"readout": "cls"}},
    {"method": "last_attention", "name": "head", "options": {"head": 1}},
]


@pytest.fixture(scope="module")
def outputs():
    """By precision; the random model and images are the same."""
    images, labels = make_images(6), np.zeros(6, int)
    with not_compiled():
        return {
            precision: run(make_forward(load_small_vit(precision), ENTRIES), images, labels)
            for precision in ("float32", "bfloat16")
        }


def test_the_backbone_computes_in_bfloat16_and_everything_leaves_in_float32(outputs):
    trace = load_small_vit("bfloat16").trace(tf.constant(make_images(1), tf.float32))
    assert {attention.dtype for attention in trace.attentions} == {tf.bfloat16}
    assert trace.logits.dtype == tf.float32
    output = outputs["bfloat16"]
    leaving = [output.logits, output.features, output.patch_norms, *output.densities.values(), *output.signed.values()]
    assert {str(values.dtype) for values in leaving} == {"float32"}
    assert np.abs(output.logits - outputs["float32"].logits).max() > 1e-4


def test_logits_and_norms_agree(outputs):
    single, half = outputs["float32"], outputs["bfloat16"]
    assert np.corrcoef(single.logits.ravel(), half.logits.ravel())[0, 1] > 0.99
    assert np.corrcoef(single.patch_norms.ravel(), half.patch_norms.ravel())[0, 1] > 0.99


def test_every_map_is_finite_and_agrees(outputs):
    single, half = outputs["float32"].densities, outputs["bfloat16"].densities
    assert list(single) == list(half)
    for map_id in single:
        assert np.isfinite(half[map_id]).all(), map_id
        assert (half[map_id] >= 0).all(), map_id
        for first, second in zip(single[map_id], half[map_id], strict=True):
            assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.9, map_id
