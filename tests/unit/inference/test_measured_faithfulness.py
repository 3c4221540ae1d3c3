"""Faithfulness of the maps of a real small ViT, against plain Keras on images that a slow loop has changed."""

import re
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import softmax
from scipy.stats import spearmanr
from small_vits import (
    GRID,
    SIZES,
    build_keras_vit,
    load_small_vit,
    make_forward,
    make_images,
    not_compiled,
    saved_weights,
)
from vit_keras import layers

from evalharness.attention.faithfulness_verdict import MEASURES
from evalharness.inference import Subset, measure_faithfulness
from evalharness.model import randomised_head

METHODS = [
    {"method": "grad_attention", "target": "true"},
    {"method": "grad_cam", "target": "true"},
    {"method": "occlusion", "target": "true", "options": {"group_size": 3}, "name": "occlusion"},
    "rollout",
    "random",
    "center",
]
MAP_IDS = ["grad_attention.true", "grad_cam.true", "occlusion", "rollout", "random", "center"]
NUM_STEPS, NUM_HEADS, NUM_IMAGES = 4, 2, 3
ROW_IDS = ["a", "b", "c"]
WHOLE = (slice(0, 48), slice(0, 32))


@pytest.fixture(scope="module")
def images():
    return make_images(NUM_IMAGES, seed=5)


@pytest.fixture(scope="module")
def model():
    return load_small_vit()


@pytest.fixture(scope="module")
def forward(model):
    return make_forward(model, METHODS)


def measure(model, forward, images, sizes=(2, 1), window=WHOLE):
    parts = np.split(np.arange(NUM_IMAGES), np.cumsum(sizes)[:-1])
    batches = [Subset(images[part], [ROW_IDS[index] for index in part], [window] * len(part)) for part in parts]
    rows = measure_faithfulness(
        forward,
        batches,
        num_steps=NUM_STEPS,
        num_random_heads=NUM_HEADS,
        randomised_head=partial(randomised_head, model),
    )
    return {(row.row_id, row.map_id): row for row in rows}


@pytest.fixture(scope="module")
def measured(model, forward, images):
    """The measurements, what was printed meanwhile, and how many images went through the model."""
    passed = []
    original = layers.MultiHeadSelfAttention.attention

    def counting(self, query, key, value):
        passed.append(len(query))
        return original(self, query, key, value)

    with pytest.MonkeyPatch.context() as patch, not_compiled():
        printed = []
        patch.setattr("evalharness.console.note", printed.append)
        patch.setattr(layers.MultiHeadSelfAttention, "attention", counting)
        return measure(model, forward, images), printed, sum(passed) // SIZES["num_layers"]


@pytest.fixture(scope="module")
def keras_probs():
    model = build_keras_vit()
    model.load_weights(saved_weights())
    # Not `predict`, which takes far longer than a few small images do.
    return lambda pictures: model(np.stack(pictures).astype(np.float32) / 127.5 - 1, training=False).numpy()


@pytest.fixture(scope="module")
def maps(model, forward, images, keras_probs):
    """Maps of the verdict by map id: as they are, and (images, heads) of them under every randomised head."""
    verdicts = keras_probs(images).argmax(axis=1)
    with not_compiled():
        own = forward(images, verdicts, ROW_IDS).densities
        others = []
        for seed in range(NUM_HEADS):
            with randomised_head(model, seed):
                others.append(forward(images, verdicts, ROW_IDS).densities)
    return own, others


def without(image, filling, patches):
    """The image with every pixel of some patches taken from the filling."""
    copy = image.copy()
    side = SIZES["patch_size"]
    for patch in patches:
        top, left = patch // GRID[1] * side, patch % GRID[1] * side
        for row in range(top, top + side):
            for column in range(left, left + side):
                copy[row, column] = filling[row, column]
    return copy


def mean_of(image):
    return np.ones_like(image) * np.rint(image.reshape(-1, 3).mean(axis=0)).astype(np.uint8)


def blur_of(image):
    channels = [
        gaussian_filter(image[..., channel].astype(np.float32), 0.1 * 32, mode="nearest") for channel in range(3)
    ]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def trapezoids(curve):
    return sum((left + right) / 2 for left, right in pairwise(curve)) / (len(curve) - 1)


# The others have zeros or equal values, whose order a seed decides.
@pytest.mark.parametrize("map_id", ["grad_attention.true", "rollout", "random"])
@pytest.mark.parametrize("index", range(NUM_IMAGES))
def test_curves_and_their_areas_are_those_of_plain_keras(measured, maps, images, keras_probs, map_id, index):
    image, density = images[index], maps[0][map_id][index].ravel()
    assert len(np.unique(density)) == density.size
    order = np.argsort(-density)
    verdict = int(keras_probs([image])[0].argmax())
    row = measured[0][ROW_IDS[index], map_id]
    faithfulness = []
    for baseline, filling in (("mean", mean_of(image)), ("blur", blur_of(image))):
        steps = [6 * step for step in range(NUM_STEPS + 1)]
        deleted = keras_probs([without(image, filling, order[:step]) for step in steps])[:, verdict]
        inserted = keras_probs([without(image, filling, order[step:]) for step in steps])[:, verdict]
        np.testing.assert_allclose(row.curves[f"deletion_{baseline}"], deleted, atol=1e-5)
        np.testing.assert_allclose(row.curves[f"insertion_{baseline}"], inserted, atol=1e-5)
        assert row.measures[f"deletion_{baseline}"] == pytest.approx(trapezoids(deleted), abs=1e-5)
        assert row.measures[f"insertion_{baseline}"] == pytest.approx(trapezoids(inserted), abs=1e-5)
        faithfulness.append(trapezoids(inserted) - trapezoids(deleted))
    assert row.measures["faithfulness"] == pytest.approx(np.mean(faithfulness), abs=1e-5)

    groups = [order[step : step + 6] for step in range(0, 24, 6)]
    drops = [
        keras_probs([image])[0, verdict] - keras_probs([without(image, mean_of(image), group)])[0, verdict]
        for group in groups
    ]
    total = agreeing = 0.0
    for i in range(NUM_STEPS):
        for j in range(i + 1, NUM_STEPS):
            weight = density[groups[i]].sum() - density[groups[j]].sum()
            total += weight
            agreeing += weight if drops[i] >= drops[j] else -weight
    assert row.measures["saco"] == pytest.approx(agreeing / total, abs=1e-5)


def test_head_similarity_is_the_mean_correlation_under_the_randomised_heads(measured, maps):
    own, others = maps
    for map_id in MAP_IDS:
        for index, row_id in enumerate(ROW_IDS):
            expected = np.mean([spearmanr(own[map_id][index].ravel(), o[map_id][index].ravel())[0] for o in others])
            found = measured[0][row_id, map_id].measures["head_similarity"]
            assert found == pytest.approx(expected, abs=1e-6, nan_ok=True), map_id


def test_a_randomised_head_changes_class_specific_maps_and_no_other(measured):
    for (_, map_id), row in measured[0].items():
        similarity = row.measures["head_similarity"]
        if map_id in ("rollout", "random", "center"):
            assert similarity == pytest.approx(1), map_id
        else:
            assert not similarity > 0.999, map_id


def test_the_head_is_as_it_was(measured, forward, images, keras_probs):
    with not_compiled():
        np.testing.assert_allclose(softmax(forward.logits(images), axis=1), keras_probs(images), atol=1e-5)


def test_stability_is_the_correlation_with_the_mirrored_and_the_brighter_image(
    measured, forward, maps, images, keras_probs
):
    verdicts = keras_probs(images).argmax(axis=1)
    with not_compiled():
        mirrored = forward(np.ascontiguousarray(images[:, :, ::-1]), verdicts, ROW_IDS).densities
        brighter = forward(np.minimum(np.rint(images * 1.1), 255).astype(np.uint8), verdicts, ROW_IDS).densities
    for map_id in MAP_IDS:
        for index, row_id in enumerate(ROW_IDS):
            own, found = maps[0][map_id][index], measured[0][row_id, map_id].measures
            flipped_back = np.fliplr(mirrored[map_id][index])
            flip = spearmanr(own.ravel(), flipped_back.ravel())[0]
            light = spearmanr(own.ravel(), brighter[map_id][index].ravel())[0]
            assert found["flip_stability"] == pytest.approx(flip, abs=1e-6, nan_ok=True), map_id
            assert found["brightness_stability"] == pytest.approx(light, abs=1e-6, nan_ok=True), map_id
    assert measured[0]["a", "center"].measures["flip_stability"] == pytest.approx(1)


def test_every_image_and_map_has_every_measure(measured):
    assert list(measured[0]) == [(row_id, map_id) for row_id in ROW_IDS for map_id in MAP_IDS]
    assert all(set(row.measures) == set(MEASURES) for row in measured[0].values())


def test_the_batches_change_nothing(measured, model, forward, images):
    with not_compiled():
        again = measure(model, forward, images, sizes=(1, 2))
    for key, row in measured[0].items():
        for name, value in row.measures.items():
            assert again[key].measures[name] == pytest.approx(value, abs=1e-4, nan_ok=True), (key, name)


def test_the_printed_number_of_forward_passes_is_the_real_one(measured):
    _, printed, num_passed = measured
    (line,) = [line for line in printed if "forward passes" in line]
    assert line.startswith(f"testing {len(MAP_IDS)} maps on {NUM_IMAGES} images: ")
    # The first batch of two images is run twice to measure the time.
    assert int(re.search(r"(\d+) forward passes", line)[1]) == num_passed - 2 * 2


def test_equal_patches_are_ordered_by_the_row_for_all_maps_alike(model, forward, images, monkeypatch):
    """An order shared by all rows would repeat one accident in every image."""
    call = type(forward).__call__

    def flatten(self, *batch):
        output = call(self, *batch)
        for map_id in ("rollout", "grad_cam.true"):
            output.densities[map_id][:] = 1
        return output

    monkeypatch.setattr(type(forward), "__call__", flatten)
    with not_compiled():
        rows = measure(model, forward, np.stack([images[0]] * NUM_IMAGES))
    found = [rows[row_id, "rollout"].measures["faithfulness"] for row_id in ROW_IDS]
    assert len(set(found)) == NUM_IMAGES
    assert found == [rows[row_id, "grad_cam.true"].measures["faithfulness"] for row_id in ROW_IDS]


def test_a_map_that_is_not_there_is_measured_as_nothing(model, forward, images, monkeypatch):
    """grad_cam can be zero everywhere, and is NaN then."""
    call = type(forward).__call__

    def lose(self, *batch):
        output = call(self, *batch)
        output.densities["grad_cam.true"][:] = np.nan
        return output

    monkeypatch.setattr(type(forward), "__call__", lose)
    with not_compiled():
        row = measure(model, forward, images)["a", "grad_cam.true"]
    assert all(np.isnan(value) for value in row.measures.values())
    assert all(curve.shape == (NUM_STEPS + 1,) and np.isnan(curve).all() for curve in row.curves.values())


def test_padding_is_neither_ranked_nor_changed(model, forward, images, keras_probs):
    """The photo is the middle two columns of patches and a pixel of the third row: by hand, patches 1 2 5 6 9 10."""
    window, ranked = (slice(0, 17), slice(8, 24)), np.array([1, 2, 5, 6, 9, 10])
    padded = np.zeros_like(images)
    padded[:, *window] = images[:, *window]
    with not_compiled():
        rows = measure(model, forward, padded, window=window)
        verdicts = keras_probs(padded).argmax(axis=1)
        maps = forward(padded, verdicts, ROW_IDS).densities["grad_attention.true"]
        mirrored = forward(np.ascontiguousarray(padded[:, :, ::-1]), verdicts, ROW_IDS).densities["grad_attention.true"]
    for index, row_id in enumerate(ROW_IDS):
        image, row, density = padded[index], rows[row_id, "grad_attention.true"], maps[index].ravel()[ranked]
        mean = np.zeros_like(image)
        mean[window] = np.rint(image[window].reshape(-1, 3).mean(axis=0))
        order = ranked[np.argsort(-density)]
        steps = [0, 2, 4, 5, 6]
        deleted = keras_probs([without(image, mean, order[:step]) for step in steps])[:, verdicts[index]]
        inserted = keras_probs([without(image, mean, order[step:]) for step in steps])[:, verdicts[index]]
        np.testing.assert_allclose(row.curves["deletion_mean"], deleted, atol=1e-5)
        np.testing.assert_allclose(row.curves["insertion_mean"], inserted, atol=1e-5)
        flip = spearmanr(density, np.fliplr(mirrored[index]).ravel()[ranked])[0]
        assert row.measures["flip_stability"] == pytest.approx(flip, abs=1e-6)
