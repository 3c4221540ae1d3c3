"""Occlusion and the baselines through a whole forward pass of a made-up model whose map is known."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_vits import make_forward

from evalharness.inference.forward import MAX_COPIES
from evalharness.records import Trace, VisionTransformer, WeightsSource

GRID, PATCH = (3, 5), 4
CLASSES = ("bright", "dark", "even")


def made_up_trace(images):
    """Logits: the mean of patch (1, 3); minus the mean of patch (0, 0); nothing."""
    bright = tf.reduce_mean(images[:, 4:8, 12:16], axis=(1, 2, 3))
    dark = -tf.reduce_mean(images[:, 0:4, 0:4], axis=(1, 2, 3))
    tokens = tf.zeros([tf.shape(images)[0], 16, 2])
    return Trace(tf.stack([bright, dark, 0 * dark], axis=1), tokens[:, 0], (), (tokens,), tokens, 1)


@pytest.fixture(scope="module")
def model():
    return VisionTransformer(
        trace=made_up_trace, readout=lambda *_: None, freeze=lambda: None, predict_probs=lambda *_: None,
        classes=CLASSES, preprocessing="raw", image_size=(12, 20), patch_size=PATCH, num_layers=1, num_heads=1,
        hidden_size=2, weights=WeightsSource("", Path(), "", "h5"), backbone_sha256="", architecture={}, device="CPU",
    )  # fmt: skip


@pytest.fixture(scope="module")
def images():
    """Grey patches of 10, but (1, 3) of 200 and (0, 0) of 80; and a grey image of 50."""
    first = np.full(GRID, 10, np.uint8)
    first[1, 3], first[0, 0] = 200, 80
    grey = np.stack([first, np.full(GRID, 50, np.uint8)])
    return grey.repeat(PATCH, axis=1).repeat(PATCH, axis=2)[..., None].repeat(3, axis=-1)


def occlude(model, images, group_size, target="predicted"):
    entry = {"method": "occlusion", "name": "map", "target": target, "options": {"group_size": group_size}}
    return make_forward(model, [entry])(images, np.array([1, 1]), ["a", "b"])


def test_patch_by_patch_by_hand(model, images):
    output = occlude(model, images, 1)
    np.testing.assert_allclose(output.logits, [[200, -80, 0], [50, -50, 0]], rtol=1e-6)
    # Predicted: bright. The rest of (1, 3) has a mean of (80 + 13 x 10) / 14 = 15: the score loses 200 - 15.
    expected = np.zeros((2, *GRID))
    expected[0, 1, 3] = 185
    np.testing.assert_allclose(output.signed["map"], expected, atol=1e-4)
    np.testing.assert_allclose(output.map_sums["map"], [185, 0], atol=1e-4)
    # All of the map is on one of 15 patches; an even image has nothing to hide, so no map.
    np.testing.assert_allclose(output.densities["map"][0], expected[0] / 185 * 15, atol=1e-5)
    assert np.isnan(output.densities["map"][1]).all()


def test_what_speaks_against_the_class_is_kept_with_its_sign_and_not_in_the_map(model, images):
    output = occlude(model, images, 1, target="dark")
    # The rest of (0, 0) has a mean of (200 + 130) / 14 = 23.6, as a colour 24: the score is -24 instead of -80.
    assert output.signed["map"][0, 0, 0] == pytest.approx(-80 + 24)
    assert np.count_nonzero(output.signed["map"]) == 1
    assert output.map_sums["map"].tolist() == [0, 0]
    assert np.isnan(output.densities["map"]).all()


def test_contrast_explains_the_difference_of_two_logits(model, images):
    output = occlude(model, images, 1, target="contrast")
    # Predicted minus true, bright minus dark: 185 for (1, 3), and for (0, 0) -(-80 + 24) = 56.
    assert output.signed["map"][0, 1, 3] == pytest.approx(185)
    assert output.signed["map"][0, 0, 0] == pytest.approx(56)
    density = output.densities["map"][0]
    assert density[1, 3] == pytest.approx(15 * 185 / (185 + 56))
    assert density[0, 0] == pytest.approx(15 * 56 / (185 + 56))
    assert np.count_nonzero(density) == 2


def test_groups_are_cut_at_the_border_where_the_grid_is_no_multiple(model, images):
    # Two by two groups: patch (1, 3) lies in rows 0 and 1, columns 2 and 3; column 4 and row 2 have narrower groups.
    # The rest of the group: 11 patches, 80 + 10 x 10, a mean of 16.4: hidden, the patch has 16.
    output = occlude(model, images, 2)
    expected = np.zeros(GRID)
    expected[0:2, 2:4] = 200 - 16
    np.testing.assert_allclose(output.signed["map"][0], expected, atol=1e-4)
    np.testing.assert_allclose(output.densities["map"][0], expected / (4 * 184) * 15, atol=1e-5)
    # Four by four: (1, 3) is in the first group of 3 x 4 patches; the rest is the column of tens on the right.
    expected = np.zeros(GRID)
    expected[:, :4] = 200 - 10
    np.testing.assert_allclose(occlude(model, images, 4).signed["map"][0], expected, atol=1e-4)


def test_logits_of_any_number_of_images_come_in_order(model):
    count = 2 * MAX_COPIES + 3
    images = np.zeros((count, 12, 20, 3), np.uint8)
    images[:, 4:8, 12:16] = np.arange(count)[:, None, None, None]
    logits = make_forward(model, []).logits(images)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits[:, 0], np.arange(count))


def test_baselines_follow_the_row_and_not_the_image_or_the_batch(model, images):
    forward = make_forward(model, ["random", "center"])
    labels = np.array([0, 0])
    together = forward(images, labels, ["a", "b"])
    swapped = forward(images, labels, ["b", "a"])
    np.testing.assert_array_equal(swapped.densities["random"], together.densities["random"][::-1])
    alone = forward(images[1:], labels[1:], ["b"])
    np.testing.assert_array_equal(alone.densities["random"][0], together.densities["random"][1])
    assert not np.allclose(together.densities["random"][0], together.densities["random"][1])
    center = together.densities["center"]
    assert center.shape == (2, *GRID)
    assert np.unravel_index(center[0].argmax(), GRID) == (1, 2)
    np.testing.assert_allclose(center, center[:, ::-1, ::-1], rtol=1e-6)
    np.testing.assert_allclose(center.mean(axis=(1, 2)), 1, rtol=1e-6)
