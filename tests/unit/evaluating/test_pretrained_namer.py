"""The pre-trained model that names crops: its config, and whether its weights fit, before anything is predicted."""

import numpy as np
import pytest
from tiny_vit import TINY_SIZES

from evalharness.config.compose import compose_config, overrides_from
from evalharness.errors import ConfigError, WeightsError
from evalharness.evaluating.stages.what_is_it.pretrained import find_namer, name_namer_keys, namer_config


def config(**values):
    given = {key.replace("__", "."): value for key, value in values.items()}
    return compose_config(overrides_from({"model.weights": "a.h5", "dataset.csv": "b.csv", **given}))


def test_the_pre_trained_model_is_the_runs_with_what_differs():
    found = namer_config(
        config(
            what_is_it__num_images=2,
            what_is_it__weights="pre.h5",
            what_is_it__classes=["a", "b", "c"],
            what_is_it__model={"preprocessing": "vit", "image_size": 384},
        )
    )
    assert (found.weights, found.classes, found.preprocessing, found.image_size) == (
        "pre.h5", ("a", "b", "c"), "vit", (384, 384),
    )  # fmt: skip
    assert found.backbone == "vit_b16"


def test_a_key_that_no_model_has_is_refused():
    values = {"what_is_it__num_images": 2, "what_is_it__weights": "pre.h5", "what_is_it__classes": ["a", "b"]}
    with pytest.raises(ConfigError, match="colour"):
        namer_config(config(**values, what_is_it__model={"colour": "red"}))


def test_published_weights_are_for_known_backbones_only():
    assert namer_config(config(what_is_it__num_images=2, what_is_it__download=True)) is None
    sizes = {"image_size": 32, "patch_size": 8, "num_layers": 2, "hidden_size": 16, "num_heads": 2, "mlp_dim": 24}
    values = {"model": "custom", "model__preprocessing": "vit", **{f"model__{k}": v for k, v in sizes.items()}}
    with pytest.raises(ConfigError, match="vit_b16"):
        namer_config(config(**values, what_is_it__num_images=2, what_is_it__download=True))


@pytest.mark.parametrize(
    "values",
    [
        {"what_is_it__num_images": 2},
        {"what_is_it__num_images": 2, "what_is_it__weights": "a.h5"},
        {"what_is_it__num_images": 2, "what_is_it__weights": "a.h5", "what_is_it__download": True},
        {"stress__scale": [0.5, 0.3]},
        {"stress__scale": [0.3, 1.0]},
    ],
)
def test_settings_that_contradict_each_other_are_refused(values):
    with pytest.raises(ConfigError):
        config(**values)


NAMER = {"what_is_it__num_images": 2, "what_is_it__classes": list("abcde")}


def custom(tiny_run, **values):
    sizes = {f"model__{name}": value for name, value in TINY_SIZES.items()}
    weights = {"what_is_it__weights": str(tiny_run.weights)}
    return config(**{"model": "custom", "model__preprocessing": "vit", **sizes, **weights, **NAMER, **values})


def test_nothing_to_name_without_a_map_is_refused(tiny_run):
    with pytest.raises(ConfigError, match=r"got \[\] \(attention\.methods\).*what_is_it\.num_images=0"):
        find_namer(custom(tiny_run, attention__methods=[]))
    find_namer(custom(tiny_run, attention__methods=[], what_is_it__num_images=0))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"what_is_it__classes": ["a", "b", "c"]}, "Set what_is_it.classes to the 5 names in the order of training"),
        ({"what_is_it__classes": "imagenet"}, "expected 1000, as in what_is_it.classes, got 5"),
        ({"what_is_it__model": {"image_size": 64}}, "Set what_is_it.model={image_size:32}"),
        ({"what_is_it__weights": "gone.h5"}, "got gone.h5 (what_is_it.weights)"),
    ],
)
def test_a_namer_that_does_not_fit_is_told_before_anything_is_predicted(values, told, tiny_run):
    with pytest.raises(WeightsError) as caught:
        find_namer(custom(tiny_run, **values))
    assert told in str(caught.value)


def test_a_namer_that_fits_is_gathered(tiny_run):
    namer = find_namer(custom(tiny_run))
    assert namer.weights.path == tiny_run.weights
    predict, classes, size = namer.load()
    assert (predict(np.zeros((2, 32, 32, 3), np.uint8)).shape, classes, size) == ((2, 5), tuple("abcde"), (32, 32))


def test_what_only_loading_tells_names_the_keys_of_the_namer(tiny_run):
    settings = custom(tiny_run, what_is_it__model={"head": [{"layer": "dense", "units": "classes"}]})
    with pytest.raises(
        WeightsError, match=r"what_is_it: weights do not fit(.|\n)*list what_is_it\.model\.head as it was"
    ):
        find_namer(settings).load()


def test_keys_are_renamed_and_paths_are_not():
    text = "set model.classes (/a/model.weights.h5, model.head.h5): as in model.image_size."
    assert name_namer_keys(text) == (
        "set what_is_it.classes (/a/model.weights.h5, model.head.h5): as in what_is_it.model.image_size."
    )
