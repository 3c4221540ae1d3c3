"""`model.preprocessing`: names, and numbers of the user's own, through Hydra and pydantic."""

import numpy as np
import pytest
import tensorflow as tf

from evalharness.config import Normalization, preprocessing_text
from evalharness.config.compose import compose_config, overrides_from
from evalharness.errors import ConfigError
from evalharness.model.preprocessing import preprocess
from evalharness.results import input_settings

NEEDED = ("model=vit_b16", "model.weights=w.h5", "dataset.csv=d.csv")


def composed(value):
    return compose_config([*NEEDED, f"model.preprocessing={value}"])


@pytest.mark.parametrize("name", ["raw", "vit", "rescale", "imagenet"])
def test_a_name_stays_a_text_in_the_recipe(name):
    assert input_settings(composed(name)) == {
        "image_size": [224, 224], "preprocessing": name, "resize": "squash", "resize_size": None,
        "filter": "bilinear", "exif": "ignore",
    }  # fmt: skip


@pytest.mark.parametrize(
    "value", ["{mean:[0.5,0.5,0.5],std:[0.25,1,0.5]}", "{std: [0.25, 1.0, 0.5], mean: [0.5, 0.5, 0.5]}"]
)
def test_numbers_on_the_command_line(value):
    config = composed(value)
    assert config.model.preprocessing == Normalization(mean=(0.5, 0.5, 0.5), std=(0.25, 1, 0.5))
    assert input_settings(config)["preprocessing"] == {"mean": [0.5, 0.5, 0.5], "std": [0.25, 1, 0.5]}


def test_numbers_take_the_place_of_a_preset_s_name():
    given = {"model": "notebook", "model.weights": "w.h5", "dataset.csv": "d.csv"}
    given["model.preprocessing"] = {"mean": [0, 0, 0], "std": [1, 1, 1]}
    assert compose_config(overrides_from(given)).model.preprocessing == Normalization(mean=(0, 0, 0), std=(1, 1, 1))


def test_the_text_is_what_the_command_line_takes():
    text = preprocessing_text(composed("{mean:[0.1,0.2,0.3],std:[1,1,1]}").model.preprocessing)
    assert text == "{mean: [0.1, 0.2, 0.3], std: [1, 1, 1]}"
    assert preprocessing_text(composed(text).model.preprocessing) == text
    assert preprocessing_text(input_settings(composed(text))["preprocessing"]) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "zero",
            "model.preprocessing: expected raw, vit, rescale, imagenet, or {mean: [r,g,b], std: [r,g,b]}, got zero",
        ),
        ("[1,2]", "model.preprocessing: expected raw"),
        ("null", "model.preprocessing: expected raw"),
        ("{mean:[0.5,0.5,0.5]}", "model.preprocessing.std: Field required"),
        ("{mean:[0.5,0.5],std:[1,1,1]}", "model.preprocessing.mean: expected three numbers, [r,g,b], got [0.5, 0.5]"),
        ("{mean:0.5,std:[1,1,1]}", "model.preprocessing.mean: expected three numbers"),
        ("{mean:[0,0,0],std:[0,1,1]}", "model.preprocessing.std: expected numbers above 0, got [0, 1, 1]"),
        ("{mean:[123.7,116.3,103.5],std:[1,1,1]}", "of pixels / 255, got [123.7, 116.3, 103.5]; divide them by 255"),
        ("{mean:[0,0,0],std:[58.4,57.1,57.4]}", "model.preprocessing.std: expected numbers of at most 1"),
        ("{mean:[-0.5,0,0],std:[1,1,1]}", "model.preprocessing.mean: expected numbers from 0 to 1"),
        ("{mean:[true,0,0],std:[1,1,1]}", "model.preprocessing.mean.0: Input should be a valid number"),
        ("{mean:[0,0,0],std:[1,1,1],scale:2}", "model.preprocessing.scale: no such key"),
    ],
)
def test_what_does_not_fit_is_told_by_its_key(value, message):
    with pytest.raises(ConfigError) as caught:
        composed(value)
    assert message in str(caught.value)


def test_pixels_by_hand():
    pixels = tf.constant([[[[0.0, 127.5, 255.0]]]])
    own = Normalization(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))
    expected = {
        "raw": [0, 127.5, 255],
        "vit": [-1, 0, 1],
        "rescale": [0, 0.5, 1],
        "imagenet": [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        own: [-1, 1, 1],
    }
    for preprocessing, values in expected.items():
        np.testing.assert_allclose(preprocess(pixels, preprocessing)[0, 0, 0], values, rtol=1e-6)
