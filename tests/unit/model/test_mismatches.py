"""A file of another model: one message that names the layers and the cause, and a model that stays as it was."""

import numpy as np
import pytest
from tiny_models import (
    CLASSES,
    FILES,
    NOTEBOOK_HEAD,
    SMALL,
    SOFTMAX_HEAD,
    backbone,
    notebook_model,
    save,
)

from evalharness.errors import WeightsError

FLATTEN, NORM, HIDDEN, _, OUTPUT = NOTEBOOK_HEAD
LAYER_NORM = {"layer": "layer_normalization"}
EXPECTED_HEAD = "the file has batch_normalization, dense, batch_normalization, dense"
CAUSE_HEAD = "The head differs: choose model/head=... or list model.head as it was in training."


def refusal(loader, path, **settings) -> str:
    """The message; no variable of the model may have changed."""
    with pytest.raises(WeightsError) as caught:
        loader.load(path, **{**SMALL, **settings})
    for variable, before in zip(loader.model.variables, loader.scrambled, strict=True):
        np.testing.assert_array_equal(variable.numpy(), before, err_msg=variable.name)
    message = str(caught.value)
    assert message.startswith(f"weights do not fit the model ({path}):\n")
    assert message.endswith(".")
    return message


MISMATCHES = [
    pytest.param(
        {"classes": CLASSES[:4]},
        ("kernel: expected shape (21, 4), the file has (21, 5)", "bias: expected shape (4,), the file has (5,)"),
        "The file was trained for 5 classes, the config has 4: set model.classes to the 5 names",
        id="classes",
    ),
    pytest.param(
        {"image_size": 48},
        ("posembed_input/pos_embedding: expected shape (1, 37, 16), the file has (1, 17, 16)",),
        "Another image size: set model.image_size=32 (the model has 48)",
        id="image size",
    ),
    pytest.param(
        {"image_size": 64, "patch_size": 16},
        ("embedding/kernel: expected shape (16, 16, 3, 16), the file has (8, 8, 3, 16)",),
        "Another backbone: the file's patch size is 8, the model's 16",
        id="patch size",
    ),
    pytest.param(
        {"hidden_size": 24},
        ("class_token/cls: expected shape (1, 1, 24), the file has (1, 1, 16)", "and "),
        "Another backbone: the file's hidden size is 16, the model's 24",
        id="hidden size",
    ),
    pytest.param(
        {"num_layers": 2},
        ("encoderblock_1/query/kernel: not in the file", "and 8 more"),
        "Another backbone: the file has 1 transformer blocks, the model 2",
        id="more blocks",
    ),
    pytest.param(
        {"mlp_dim": 32},
        ("encoderblock_0/Dense_0/kernel: expected shape (16, 32), the file has (16, 24)",),
        "Another backbone: the file's mlp_dim is 24, the model's 32",
        id="mlp_dim",
    ),
    pytest.param(
        {"head": SOFTMAX_HEAD}, (f"head: expected layers dense, {EXPECTED_HEAD}",), CAUSE_HEAD, id="a shorter head"
    ),
    pytest.param(
        {"head": (FLATTEN, LAYER_NORM, HIDDEN, LAYER_NORM, OUTPUT)},
        (f"head: expected layers layer_normalization, dense, layer_normalization, dense, {EXPECTED_HEAD}",),
        CAUSE_HEAD,
        id="other kinds",
    ),
    pytest.param(
        {"head": (FLATTEN, NORM, {**HIDDEN, "units": 20}, NORM, OUTPUT)},
        ("expected shape (16, 20), the file has (16, 21)",),
        CAUSE_HEAD,
        id="hidden units",
    ),
]


@pytest.mark.parametrize("layout", ["h5", "keras"])
@pytest.mark.parametrize(("settings", "lines", "cause"), MISMATCHES)
def test_message_names_layers_and_cause(settings, lines, cause, layout, small_saved, loader):
    message = refusal(loader, small_saved[layout], **settings)
    for line in lines:
        assert line in message
    assert cause in message.splitlines()[-1]


@pytest.mark.parametrize("layout", ["h5", "h5-model"])
def test_order_of_the_head_is_read_from_the_file(layout, small_saved, loader):
    message = refusal(loader, small_saved[layout], head=(FLATTEN, HIDDEN, NORM, NORM, OUTPUT))
    assert f"head: expected layers dense, batch_normalization, batch_normalization, dense, {EXPECTED_HEAD}" in message
    assert message.endswith(CAUSE_HEAD)


@pytest.mark.parametrize("layout", ["weights.h5", "keras"])
def test_where_the_file_does_not_tell_the_order_shapes_do(layout, small_saved, loader):
    message = refusal(loader, small_saved[layout], head=(FLATTEN, HIDDEN, NORM, NORM, OUTPUT))
    assert "gamma: expected shape (21,), the file has (16,)" in message
    assert message.endswith(CAUSE_HEAD)


def test_fewer_blocks_than_the_file(saved, loader):
    message = refusal(loader, saved["h5"], num_layers=2)
    assert "encoderblock_2/" in message
    assert "not in the model" in message
    assert message.endswith("Another backbone: the file has 4 transformer blocks, the model 2.")


@pytest.mark.parametrize("layout", FILES)
def test_backbone_without_a_head(layout, loader, tmp_path):
    path = save(backbone(**SMALL), tmp_path, layout)
    message = refusal(loader, path)
    assert "the file has none" in message
    assert message.endswith(
        "The file holds a backbone without a head (before fine-tuning?): use the weights of the whole model."
    )


def test_image_of_other_proportions(loader, tmp_path):
    path = save(notebook_model(**{**SMALL, "image_size": (32, 48)}), tmp_path, "h5")
    message = refusal(loader, path)
    assert message.endswith("Another image size: the file's has 24 patches (model.image_size is 32).")
    model = loader.load(path, **{**SMALL, "image_size": (32, 48)})
    assert model.image_size == (32, 48)


def test_many_differences_are_counted(small_saved, loader):
    message = refusal(loader, small_saved["h5"], hidden_size=24)
    # In the block all but the bias of Dense_0, whose width is mlp_dim; six around the block; the first of the head.
    num_differences = 15 + 6 + 5
    lines = message.splitlines()
    assert len(lines) == 1 + 8 + 1 + 1
    assert lines[-2] == f"  and {num_differences - 8} more"
