"""One forward pass for all maps: what must not change them, and what must."""

import numpy as np
import pytest
import tensorflow as tf
from small_vits import (
    CLASSES,
    GRID,
    assert_same_maps,
    changed_weights,
    load_small_vit,
    make_forward,
    make_images,
    not_compiled,
    rows_of,
    run,
)
from vit_keras import layers

from evalharness.attention import METHODS

# One class for all images, so that the class does not follow the verdict.
METHOD_ENTRIES = [
    *({"method": method, "target": "roses"} for method in METHODS),
    {"method": "legrad", "name": "at_cls", "target": "roses", "options": {"readout": "cls"}},
    {"method": "grad_attention", "name": "late", "target": "true", "options": {"start_layer": 1}},
    {"method": "last_attention", "name": "head", "options": {"layer": 1, "head": 2}},
    {"method": "occlusion", "name": "patches", "target": "contrast", "options": {"group_size": 1}},
]
CLASS_SPECIFIC = [
    "libra.roses",
    "grad_attention.roses",
    "legrad.roses",
    "grad_cam.roses",
    "occlusion.roses",
    "at_cls",
    "late",
    "patches",
]
CLASS_AGNOSTIC = ["rollout", "last_attention", "random", "center", "head"]
NUM_IMAGES = 6


@pytest.fixture(scope="module")
def model():
    return load_small_vit()


@pytest.fixture(scope="module")
def images():
    return make_images(NUM_IMAGES)


@pytest.fixture(scope="module")
def labels():
    return np.arange(NUM_IMAGES) % len(CLASSES)


@pytest.fixture(scope="module")
def passes():
    """Number of images in each execution of a block's attention, counted inside the compiled graph."""
    counted = []
    original = layers.MultiHeadSelfAttention.attention

    def counting(self, query, key, value):
        size = tf.py_function(lambda x: counted.append(len(x)) or len(x), [query], tf.int32)
        with tf.control_dependencies([size]):
            return original(self, tf.identity(query), key, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers.MultiHeadSelfAttention, "attention", counting)
        yield counted


@pytest.fixture(scope="module")
def forward(model, passes):
    return make_forward(model, METHOD_ENTRIES)


@pytest.fixture(scope="module")
def output(forward, images, labels):
    return run(forward, images, labels)


def test_the_model_says_what_plain_keras_says(model, images, output):
    probs = model.keras_model(images / np.float32(127.5) - 1, training=False)
    np.testing.assert_allclose(tf.nn.softmax(output.logits), probs, atol=1e-5)
    assert len(set(output.logits.argmax(axis=1))) > 1


def test_every_map_is_there_non_negative_finite_and_of_mean_one(forward, output):
    assert list(output.densities) == list(forward.map_ids)
    assert sorted(forward.map_ids) == sorted(CLASS_SPECIFIC + CLASS_AGNOSTIC)
    for map_id, density in output.densities.items():
        assert density.shape == (NUM_IMAGES, *GRID), map_id
        assert np.isfinite(density).all(), map_id
        assert (density >= 0).all(), map_id
        np.testing.assert_allclose(density.mean(axis=(1, 2)), 1, rtol=1e-5)
        assert density.std(axis=(1, 2)).min() > 0.01, map_id
        assert (output.map_sums[map_id] > 0).all()
        is_the_same_for_all = map_id == "center"
        assert np.allclose(density[0], density[1]) == is_the_same_for_all, map_id


def test_signed_values_are_kept_and_their_positive_part_is_the_map(output):
    assert sorted(output.signed) == ["libra.roses", "occlusion.roses", "patches"]
    for map_id, signed in output.signed.items():
        assert signed.shape == (NUM_IMAGES, *GRID)
        assert (signed < 0).any()
        positive = np.maximum(signed, 0)
        sums = positive.sum(axis=(1, 2))
        np.testing.assert_allclose(output.map_sums[map_id], sums, rtol=1e-5)
        expected = positive / sums[:, None, None] * np.prod(GRID)
        np.testing.assert_allclose(output.densities[map_id], expected, rtol=1e-5, atol=1e-6)


def test_rows_of_attention_sum_to_one(model, images):
    trace = model.trace(tf.constant(images, tf.float32))
    assert len(trace.attentions) == model.num_layers
    for attention in trace.attentions:
        assert attention.shape == (NUM_IMAGES, model.num_heads, 25, 25)
        assert (attention.numpy() >= 0).all()
        np.testing.assert_allclose(attention.numpy().sum(axis=-1), 1, atol=1e-6)


def test_norms_are_those_of_patches_before_the_final_norm(model, images, output):
    trace = model.trace(tf.constant(images, tf.float32))
    norms = np.linalg.norm(trace.block_outputs[-1].numpy()[:, 1:], axis=-1).reshape(-1, *GRID)
    np.testing.assert_allclose(output.patch_norms, norms, rtol=1e-5)
    np.testing.assert_allclose(output.features, model.keras_model.layers[0](images / np.float32(127.5) - 1), atol=1e-5)


@pytest.mark.parametrize("entry", METHOD_ENTRIES, ids=lambda entry: entry.get("name", entry["method"]))
def test_a_map_alone_is_the_same_as_among_the_others(model, images, labels, output, entry):
    with not_compiled():
        alone = run(make_forward(model, [entry]), images[:2], labels[:2])
    assert len(alone.densities) == 1
    assert_same_maps(alone, rows_of(output, slice(2), list(alone.densities)), tolerance=3e-5)


def test_all_maps_of_all_targets_take_one_forward_pass(model, forward, images, labels, output, passes):
    passes.clear()
    run(forward, images, labels)
    # Two blocks run once on the batch. Occlusion runs on copies of each image: itself and 6 groups, itself and 24.
    on_copies = [size for size in (7, 25) for _ in range(NUM_IMAGES * model.num_layers)]
    assert sorted(passes) == [NUM_IMAGES] * model.num_layers + on_copies
    assert forward.num_forward_passes == 1 + 7 + 25
    assert sum(passes) == NUM_IMAGES * model.num_layers * forward.num_forward_passes


@pytest.mark.parametrize(
    ("group_sizes", "expected"),
    # A grid of 6 x 4: 24 patches, 3 x 2 groups, 2 x 2 groups (cut at both borders), 2 x 1 groups; and the image itself.
    [((), 1), ((1,), 1 + 25), ((2,), 1 + 7), ((3,), 1 + 5), ((4,), 1 + 3), ((5,), 1 + 3), ((2, 4), 1 + 7 + 3)],
)
def test_forward_passes_are_foretold(model, group_sizes, expected):
    entries = [{"method": "occlusion", "name": f"by{size}", "options": {"group_size": size}} for size in group_sizes]
    assert make_forward(model, ["grad_attention", "legrad", "random", *entries]).num_forward_passes == expected


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batch_size_changes_nothing(forward, images, labels, output, batch_size):
    for start in range(0, NUM_IMAGES, batch_size):
        stop = start + batch_size
        part = run(forward, images[start:stop], labels[start:stop], first_row=start)
        assert_same_maps(part, rows_of(output, slice(start, stop)))


def test_the_order_of_rows_changes_nothing_but_the_order(forward, images, labels, output):
    order = [3, 0, 5, 1, 4, 2]
    shuffled = forward(images[order], labels[order], [f"row {number}" for number in order])
    assert_same_maps(shuffled, rows_of(output, order))


def test_the_neighbours_of_an_image_change_nothing(forward, images, labels, output):
    others = 255 - images
    others[2] = images[2]
    mixed = run(forward, others, labels)
    assert_same_maps(rows_of(mixed, [2]), rows_of(output, [2]))
    assert not np.allclose(mixed.densities["legrad.roses"][1], output.densities["legrad.roses"][1], atol=1e-2)


def test_the_order_of_heads_changes_no_map(model, forward, images, labels, output):
    """Query, key and value columns and output rows of every block, head by head in another order."""
    order = np.array([2, 0, 3, 1])
    columns = np.arange(model.hidden_size).reshape(model.num_heads, -1)[order].ravel()
    changes = []
    blocks = [layer for layer in model.keras_model.layers[0].layers if isinstance(layer, layers.TransformerBlock)]
    for block in blocks:
        for dense in (block.att.query_dense, block.att.key_dense, block.att.value_dense):
            changes += [(dense.kernel, dense.kernel.numpy()[:, columns]), (dense.bias, dense.bias.numpy()[columns])]
        changes.append((block.att.combine_heads.kernel, block.att.combine_heads.kernel.numpy()[columns]))
    before = model.trace(tf.constant(images, tf.float32)).attentions
    with changed_weights(changes):
        after = model.trace(tf.constant(images, tf.float32)).attentions
        permuted = run(forward, images, labels)
    for first, second in zip(before, after, strict=True):
        np.testing.assert_allclose(second, first.numpy()[:, order], atol=1e-5)
        assert not np.allclose(second, first, atol=1e-2)
    # The map of one named head is the one that must change.
    expected = output.densities["head"]
    assert not np.allclose(permuted.densities["head"], expected, atol=1e-2)
    others = [map_id for map_id in output.densities if map_id != "head"]
    assert_same_maps(rows_of(permuted, slice(None), others), rows_of(output, slice(None), others))


def test_another_head_changes_every_class_specific_map_and_no_other(model, forward, images, labels, output):
    generator = np.random.default_rng(4)
    kernels = [layer.kernel for layer in model.keras_model.layers[1:] if isinstance(layer, tf.keras.layers.Dense)]
    with changed_weights([(kernel, generator.normal(size=kernel.shape)) for kernel in kernels]):
        randomised = run(forward, images, labels)
    assert not np.allclose(randomised.logits, output.logits, atol=0.1)
    np.testing.assert_array_equal(randomised.features, output.features)
    for map_id in CLASS_AGNOSTIC:
        np.testing.assert_array_equal(randomised.densities[map_id], output.densities[map_id])
        np.testing.assert_array_equal(randomised.map_sums[map_id], output.map_sums[map_id])
    for map_id in CLASS_SPECIFIC:
        changes = np.abs(np.nan_to_num(randomised.densities[map_id]) - output.densities[map_id]).max(axis=(1, 2))
        assert (changes > 0.05).all(), map_id
    assert_same_maps(run(forward, images, labels), output, tolerance=0)


def test_a_frozen_model_has_the_same_maps(model, images, labels, output):
    """The tape follows the images, so it needs no variable to be trainable."""
    model.keras_model.trainable = False
    try:
        assert not model.keras_model.trainable_variables
        with not_compiled():
            frozen = run(make_forward(model, METHOD_ENTRIES[:4]), images, labels)
    finally:
        model.keras_model.trainable = True
    expected = rows_of(output, slice(None), ["libra.roses", "grad_attention.roses", "legrad.roses", "grad_cam.roses"])
    assert_same_maps(frozen, expected, tolerance=3e-5)


@pytest.mark.parametrize("corner", [(0, 0), (0, 3), (5, 0), (5, 3), (4, 1)])
def test_a_map_is_the_right_way_round(model, forward, corner):
    """Without positions all patches are alike but one: on every map it must be the only one with another value."""
    image = np.full((1, *model.image_size, 3), 90, np.uint8)
    row, column = corner
    strong = np.random.default_rng(2).integers(0, 256, (8, 8, 3))
    image[0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = strong
    positions = model.keras_model.layers[0].get_layer("Transformer/posembed_input").pe
    with changed_weights([(positions, np.zeros(positions.shape))]):
        maps = run(forward, image, np.array([1]))
    expected = np.zeros(GRID, bool)
    expected[corner] = True
    for map_id in ("grad_attention.roses", "legrad.roses", "rollout", "last_attention", "at_cls", "late", "head"):
        _assert_odd_one_out(maps.densities[map_id][0], expected, map_id)
    _assert_odd_one_out(maps.signed["patches"][0], expected, "patches")
    _assert_odd_one_out(maps.patch_norms[0], expected, "norms")
    in_groups = np.zeros(GRID, bool)
    in_groups[row // 2 * 2 : row // 2 * 2 + 2, column // 2 * 2 : column // 2 * 2 + 2] = True
    _assert_odd_one_out(maps.signed["occlusion.roses"][0], in_groups, "occlusion")


def _assert_odd_one_out(values, is_odd, name):
    scale = np.abs(values).max()
    assert np.ptp(values[~is_odd]) < 1e-3 * scale, name
    assert np.abs(values[is_odd].mean() - values[~is_odd].mean()) > 0.01 * scale, name
