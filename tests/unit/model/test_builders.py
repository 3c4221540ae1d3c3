"""Models of the user's own: every shape that has one backbone works, and the rest is refused in words."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax
from tiny_models import FILES, SMALL, fill, images, probs_of, save, settle

from evalharness.attention import map_specs
from evalharness.config import AttentionConfig
from evalharness.errors import ConfigError, ModelError, WeightsError
from evalharness.inference import ForwardPass

BUILDERS = [
    ("rescaled", {}),
    ("normalized", {}),
    ("with_top", {}),
    ("with_top", {"representation_size": 12}),
    ("top_behind_rescaling", {}),
    ("top_inside", {}),
    ("bare", {}),
    ("grown", {}),
    ("nested_head", {}),
    ("nested_then_outer", {}),
    ("nested_with_own_names", {}),
    ("other_layers", {}),
]


@pytest.fixture(scope="module", params=BUILDERS, ids=lambda builder: "-".join(map(str, (builder[0], *builder[1]))))
def built(request, loader, tmp_path_factory):
    """Settings, the saved files, and the saved model's probabilities; photos enter as they are."""
    name, arguments = request.param
    settings = {"builder": f"model_builders.{name}", "builder_args": arguments, "preprocessing": "raw"}
    model, folder = loader.build(**settings), tmp_path_factory.mktemp(name)
    fill(model, seed=6)
    settle(model)
    files = {layout: save(model, folder, layout) for layout in FILES}
    return settings, files, probs_of(model, images())


@pytest.mark.parametrize("layout", FILES)
def test_loaded_and_traced_as_saved(layout, built, loader):
    settings, files, expected = built
    model = loader.load(files[layout], **settings)
    np.testing.assert_allclose(model.predict_probs(images()), expected, atol=1e-6)
    trace = model.trace(tf.constant(images()))
    np.testing.assert_allclose(tf.nn.softmax(trace.logits), expected, atol=1e-6)
    np.testing.assert_allclose(model.readout(trace.block_outputs[-1], "cls"), trace.logits, atol=1e-5)
    assert model.architecture["backbone"] == "builder"
    assert (model.num_layers, model.patch_size, model.hidden_size) == (1, 8, 16)


def test_layers_of_one_shape_are_told_apart(built):
    """Nothing above would notice a swap of two layers whose weights are alike."""
    *_, expected = built
    assert np.ptp(expected, axis=1).min() > 0.01


def test_names_and_places_that_the_file_does_not_tell_are_refused(loader, tmp_path):
    """Frozen parts of a nested head with names of its own, read into layers that are called otherwise."""
    model = loader.build(builder="model_builders.nested_with_own_names")
    path = save(model, tmp_path, "h5")
    head = [*[{"layer": "dense", "units": 16, "activation": "tanh"}, {"layer": "batch_normalization"}] * 2]
    with pytest.raises(WeightsError, match=r"\((first|second), .*: found by name only\)"):
        loader.load(path, **SMALL, head=[*head, {"layer": "dense", "units": "classes", "activation": "softmax"}])


def test_arguments_reach_the_builder(loader):
    model = loader.build(builder="model_builders.with_top", builder_args={"representation_size": 3})
    assert model.get_layer("pre_logits").units == 3


def test_a_builder_in_the_working_directory(loader, tmp_path, monkeypatch):
    (tmp_path / "my_flowers.py").write_text("from model_builders import bare as make\n")
    monkeypatch.chdir(tmp_path)
    paths = list(sys.path)
    assert isinstance(loader.build(builder="my_flowers.make"), tf.keras.Model)
    assert sys.path == paths


@pytest.mark.parametrize(
    ("dotted", "told"),
    [
        ("no_such_module.build", "No module named 'no_such_module'"),
        ("model_builders.no_such_function", "no_such_function"),
        ("build", ""),
    ],
)
def test_builder_that_cannot_be_imported(dotted, told, loader):
    with pytest.raises(ConfigError) as caught:
        loader.build(builder=dotted)
    message = str(caught.value)
    assert message.startswith(f"model builder cannot be imported: expected package.module.function, got {dotted} (")
    assert told in message
    assert "(model.builder)" in message


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("raises", {}, r"model builder failed: got RuntimeError: no such checkpoint \(model\.builder=model_builders"),
        ("bare", {"depth": 3}, r"model builder failed: got TypeError: .*depth.*Check model\.builder_args"),
        ("returns_nothing", {}, "model builder returned no Keras model: got NoneType"),
    ],
)
def test_builder_that_does_not_build(name, arguments, told, loader):
    with pytest.raises(ModelError, match=told):
        loader.build(builder=f"model_builders.{name}", builder_args=arguments)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_backbone", "expected one vit-keras backbone, the model itself or one of its layers, got 0 of them"),
        ("two_backbones", "expected one vit-keras backbone, the model itself or one of its layers, got 2 of them"),
        ("around_the_backbone", "model's end does not depend on the backbone's output alone"),
        ("around_inside", "model's end does not depend on the backbone's output alone"),
        ("resized", "model resizes its images before the backbone: expected an input of (32, 32)"),
    ],
)
def test_model_that_cannot_be_evaluated(name, told, loader, tmp_path):
    settings = {"builder": f"model_builders.{name}"}
    path = save(loader.build(**settings), tmp_path, "h5")
    with pytest.raises(ModelError) as caught:
        loader.load(path, **settings)
    assert told in str(caught.value)


def test_image_size_of_the_builder_must_be_said(loader, tmp_path):
    path = save(loader.build(builder="model_builders.bare", image_size=48), tmp_path, "h5")
    with pytest.raises(ModelError, match=r"expected \(48, 48\) as in model\.image_size, got \(32, 32\)"):
        loader.load(path, builder="model_builders.bare", image_size=48)


def test_a_layer_with_control_flow_is_compiled_as_it_is(loader, tmp_path):
    settings = {"builder": "model_builders.branching", "preprocessing": "raw"}
    model = loader.build(**settings)
    fill(model, seed=7)
    loaded = loader.load(save(model, tmp_path, "h5"), **settings)
    assert loaded.needs_autograph
    forward = ForwardPass(loaded, map_specs(AttentionConfig(methods=["rollout"]), loaded.classes))
    pixels = images().astype(np.uint8)
    np.testing.assert_allclose(
        softmax(forward.logits(pixels), axis=1), probs_of(model, pixels.astype(np.float32)), atol=1e-6
    )


def test_known_layers_need_no_autograph(loader, small_saved):
    assert not loader.load(small_saved["h5"], **SMALL).needs_autograph
