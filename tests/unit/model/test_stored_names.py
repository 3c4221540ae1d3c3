"""Every weight of the backbone has one canonical name, in every layout and in the model."""

import numpy as np
import pytest
from tiny_models import FILES, blocks_of, images

from evalharness.model import resolve_weights
from evalharness.model.backbone import find_backbone, layer_paths, snake_case
from evalharness.model.stored_weights import canonical_name, open_weights


@pytest.mark.parametrize(
    ("stored", "canonical"),
    [
        ("embedding/kernel:0", "embedding/kernel"),
        ("class_token/cls:0", "class_token/cls"),
        ("cls:0", "class_token/cls"),
        ("Transformer/posembed_input/pos_embedding:0", "posembed_input/pos_embedding"),
        ("Transformer/encoder_norm/gamma:0", "encoder_norm/gamma"),
        (
            "Transformer/encoderblock_11/MultiHeadDotProductAttention_1/query/kernel:0",
            "encoderblock_11/query/kernel",
        ),
        ("Transformer/encoderblock_0/MultiHeadDotProductAttention_1/out/bias:0", "encoderblock_0/out/bias"),
        ("Transformer/encoderblock_3/Dense_1/bias:0", "encoderblock_3/Dense_1/bias"),
        ("Transformer/encoderblock_3/LayerNorm_2/beta:0", "encoderblock_3/LayerNorm_2/beta"),
        ("dense_2/kernel:0", None),
        ("batch_normalization/moving_mean:0", None),
        ("head/kernel:0", None),
        ("my_embedding/kernel:0", None),
    ],
)
def test_canonical_name(stored, canonical):
    assert canonical_name(stored) == canonical


def test_names_lead_to_the_layers_of_vit_keras(notebook):
    """By identity: a name that led to another variable of the same shape would be found here."""
    variables = find_backbone(notebook).variables()
    assert len(variables) == 2 + 2 + 2 + 4 * 16
    block = blocks_of(notebook)[2]
    expected = {
        "query/kernel": block.att.query_dense.kernel, "key/kernel": block.att.key_dense.kernel,
        "value/bias": block.att.value_dense.bias, "out/kernel": block.att.combine_heads.kernel,
        "Dense_0/kernel": block.mlpblock.layers[0].kernel, "Dense_1/bias": block.mlpblock.layers[3].bias,
        "LayerNorm_0/gamma": block.layernorm1.gamma, "LayerNorm_2/beta": block.layernorm2.beta,
    }  # fmt: skip
    for name, variable in expected.items():
        assert variables[f"encoderblock_2/{name}"] is variable
    assert {id(variable) for variable in variables.values()} == {id(v) for v in notebook.layers[0].variables}


@pytest.mark.parametrize("layout", FILES)
def test_every_layout_holds_the_same_arrays_under_the_same_names(layout, saved, notebook, tmp_path):
    source = resolve_weights(str(saved[layout]), tracking_uri="", cache_dir=tmp_path)
    variables = find_backbone(notebook).variables()
    with open_weights(source) as stored:
        assert stored.num_layers == 4
        assert set(stored.backbone) == set(variables)
        for name, variable in variables.items():
            np.testing.assert_array_equal(stored.backbone[name], variable.numpy(), err_msg=name)
        kinds = [layer.kind for layer in stored.head]
    assert sorted(kinds) == ["batch_normalization", "batch_normalization", "dense", "dense"]


@pytest.mark.parametrize("layout", ["weights.h5", "keras"])
def test_paths_of_layers_are_those_in_the_file(layout, saved, notebook, tmp_path):
    source = resolve_weights(str(saved[layout]), tracking_uri="", cache_dir=tmp_path)
    paths = layer_paths(notebook)
    with open_weights(source) as stored:
        head = {layer.name: layer.arrays for layer in stored.head}
        assert set(head) == {paths[id(layer)] for layer in notebook.layers if layer.weights} - {"layers/functional"}
        np.testing.assert_array_equal(head[paths[id(notebook.layers[5])]]["0"], notebook.layers[5].kernel.numpy())


@pytest.mark.parametrize(
    ("class_name", "snake"),
    [("Dense", "dense"), ("BatchNormalization", "batch_normalization"), ("PReLU", "p_re_lu"), ("Conv2D", "conv2d")],
)
def test_snake_case_is_that_of_keras(class_name, snake):
    from keras.src.utils.generic_utils import to_snake_case

    assert snake_case(class_name) == snake == to_snake_case(class_name)


def test_facts_of_the_loaded_model(saved, loader):
    model = loader.load(saved["keras"])
    assert (model.num_layers, model.num_heads, model.hidden_size, model.patch_size) == (4, 2, 16, 8)
    assert (model.image_size, model.grid_size) == ((32, 32), (4, 4))
    assert model.classes == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert model.architecture["head"] == [
        "Flatten", "BatchNormalization", "Dense", "BatchNormalization", "Dense",
    ]  # fmt: skip
    assert model.architecture["num_params"] == sum(int(np.prod(v.shape)) for v in model.keras_model.variables)
    assert model.predict_probs(images()).shape == (3, 5)
