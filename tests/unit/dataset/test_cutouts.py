import numpy as np
import pytest
from PIL import Image

from evalharness.dataset import cutouts
from evalharness.dataset.cutouts import load_cutouts
from evalharness.errors import DatasetError

RED = np.zeros((6, 4, 4), np.uint8)
RED[1:5, 1:3] = (255, 0, 0, 255)


def save(path, pixels=RED, mode="RGBA"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, "RGBA").convert(mode).save(path)


def test_sub_folders_and_file_names_are_categories(tmp_path):
    for name in ("cat/a.png", "cat/b.png", "dog-1.png", "dog_02.webp", "dog.png", "7.png"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    found = load_cutouts(tmp_path)
    assert {category: list(images) for category, images in found.items()} == {
        "cat": ["cat/a.png", "cat/b.png"],
        "dog": ["dog-1.png", "dog.png", "dog_02.webp"],
        tmp_path.name: ["7.png"],
    }
    np.testing.assert_array_equal(found["cat"]["cat/a.png"], RED)


def test_grey_with_alpha_and_palettes_with_a_transparent_colour_are_read(tmp_path):
    save(tmp_path / "grey.png", mode="LA")
    Image.fromarray(RED, "RGBA").quantize(8).save(tmp_path / "palette.png")
    found = load_cutouts(tmp_path)
    for name in ("grey", "palette"):
        (pixels,) = found[name].values()
        np.testing.assert_array_equal(pixels[..., 3], RED[..., 3])


def test_every_image_that_cannot_be_used_is_listed(tmp_path):
    save(tmp_path / "good.png")
    save(tmp_path / "opaque.png", mode="RGB")
    save(tmp_path / "nothing.png", pixels=np.zeros((4, 4, 4), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError) as raised:
        load_cutouts(tmp_path)
    message = str(raised.value)
    assert "3 of 4 cut-outs" in message
    assert "opaque.png: mode RGB, without an alpha channel" in message
    assert "nothing.png: transparent throughout" in message
    assert "broken.png: cannot be read" in message
    assert "good.png" not in message


def test_missing_and_empty_folders_are_told_apart(tmp_path):
    with pytest.raises(DatasetError, match="cut-outs not found"):
        load_cutouts(tmp_path / "missing")
    (tmp_path / "photo.jpg").write_bytes(b"")
    with pytest.raises(DatasetError, match="holds no cut-outs"):
        load_cutouts(tmp_path)


def test_images_of_too_many_pixels_are_refused_from_their_header(tmp_path, monkeypatch):
    monkeypatch.setattr(cutouts, "MAX_PIXELS", 23)
    save(tmp_path / "cat-1.png")
    with pytest.raises(DatasetError, match=r"cat-1\.png: it has 4 x 6 pixels, more than 23"):
        load_cutouts(tmp_path)
