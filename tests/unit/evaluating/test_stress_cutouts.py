"""Which cut-out a row gets, what tells cut-outs apart, and which there are where none are named."""

import numpy as np

from evalharness.config.compose import compose_config, overrides_from
from evalharness.dataset.cutouts import Cutouts
from evalharness.evaluating.stages.stress.stage import gather_cutouts

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
