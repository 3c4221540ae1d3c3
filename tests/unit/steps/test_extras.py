import numpy as np
import pytest

from evalharness.config.compose import compose_config, overrides_from
from evalharness.errors import ConfigError
from evalharness.steps.extras import Cutouts, gather_cutouts, namer_config

IMAGE = np.full((4, 4, 4), 255, np.uint8)


def config(**values):
    given = {key.replace("__", "."): value for key, value in values.items()}
    return compose_config(overrides_from({"model.weights": "a.h5", "dataset.csv": "b.csv", **given}))


def test_a_row_has_one_cutout_of_a_category_in_every_run():
    cutouts = Cutouts({"dog": {str(number): IMAGE for number in range(6)}})
    rows = [f"{number}.jpg" for number in range(60)]
    names = [cutouts.pick(row, "dog")[0] for row in rows]
    assert names == [cutouts.pick(row, "dog")[0] for row in rows]
    assert set(names) == set("012345")


def test_the_digest_tells_names_and_pixels_apart():
    other = IMAGE.copy()
    other[0, 0, 3] = 0
    digests = {
        Cutouts(content).digest
        for content in (
            {"dog": {"1": IMAGE}},
            {"cat": {"1": IMAGE}},
            {"dog": {"2": IMAGE}},
            {"dog": {"1": other}},
            {"dog": {"1": IMAGE.reshape(2, 8, 4)}},
        )
    }
    assert len(digests) == 5
    assert Cutouts({"dog": {"1": IMAGE.copy()}}).digest == Cutouts({"dog": {"1": IMAGE}}).digest


def test_the_bundled_animals_are_the_default_and_nothing_is_drawn_when_off():
    assert gather_cutouts(config().stress) is None
    found = gather_cutouts(config(stress__num_images=2).stress)
    assert set(found.by_category) == {"bird", "cat", "dog"}
    assert all(image.shape[2] == 4 for images in found.by_category.values() for image in images.values())


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
