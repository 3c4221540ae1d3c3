"""`evalharness check` loads the pre-trained model that names hot regions, as the run will."""

import pytest

from evalharness.cli.check import check
from evalharness.config.compose import overrides_from


@pytest.mark.parametrize(
    ("model", "exit_code", "told"),
    [
        ({}, 0, "no problem found"),
        ({"image_size": 64}, 1, "Set what_is_it.model={image_size:32}"),
        ({"hidden_size": 24}, 1, "what_is_it: weights do not fit the model"),
    ],
)
def test_the_namer_is_loaded(tiny_run, tmp_path, capsys, model, exit_code, told):
    given = tiny_run.overrides(
        tmp_path,
        what_is_it__num_images=3,
        what_is_it__weights=str(tiny_run.weights),
        what_is_it__classes=list("abcde"),
        what_is_it__model=model,
        limit=5,
    )
    assert check(overrides_from(given)) == exit_code
    assert told in capsys.readouterr().err
