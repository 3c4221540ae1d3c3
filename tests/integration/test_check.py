"""`evalharness check` loads the pre-trained model that names hot regions, as the run will."""

import pytest
from PIL import Image

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


def test_regions_are_drawn_to_be_looked_at(tiny_run, tmp_path, capsys):
    boxes = tmp_path / "boxes.csv"
    rows = [f"test/{name}/000{number}.jpg,dog,4,6,20,20" for name in ("roses", "tulips") for number in range(4)]
    boxes.write_text("\n".join(["path,category,x,y,width,height", *rows]))
    given = tiny_run.overrides(tmp_path, dataset__annotations=str(boxes), dataset__name="p")
    assert check(overrides_from(given)) == 0
    told = capsys.readouterr().err
    assert told.splitlines()[-1] == "no problem found"
    with Image.open(tmp_path / "check" / "regions-p.png") as sheet:
        assert min(sheet.size) > 400
    assert "regions-p.png" in told.replace("\n", "")


def test_what_is_unlikely_in_regions_is_told(tiny_run, tmp_path, capsys):
    boxes = tmp_path / "boxes.csv"
    # Corners where sizes belong, on photos of 44 x 36 pixels.
    rows = [f"test/{name}/000{number}.jpg,dog,20,20,40,35" for name in ("roses", "tulips") for number in range(4)]
    boxes.write_text("\n".join(["path,category,x,y,width,height", *rows]))
    assert check(overrides_from(tiny_run.overrides(tmp_path, dataset__annotations=str(boxes)))) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "8 of 8 boxes reach beyond their image" in told
    assert told.endswith("1 warning found")
