"""Regions lie on the pixels that they were drawn on: a red cat, stored turned in every way, annotated in every form."""

import csv
import json

import numpy as np
import pytest
from PIL import Image, ImageOps
from PIL.Image import Transpose

from evalharness.annotations import load_annotations
from evalharness.config import DatasetConfig
from evalharness.dataset import Photos, load_dataset, load_image

SIDES = (24, 40)
"""(height, width) of the photo as it is shown."""
CAT = (4, 3, 15, 6)
"""x, y, width, height of the cat on it."""
INPUT = (120, 120)
# How a photo is stored that a viewer turns by the orientation.
STORED = {
    2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM, 5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90, 7: Transpose.TRANSVERSE, 8: Transpose.ROTATE_270,
}  # fmt: skip
TAG = 0x0112


def draw(path, orientation):
    """Stores the photo turned; returns the photo as it is shown, and the cat's box as it is stored."""
    pixels = np.zeros((*SIDES, 3), np.uint8)
    x, y, width, height = CAT
    pixels[y : y + height, x : x + width, 0] = 255
    shown = Image.fromarray(pixels)
    stored = shown.transpose(STORED[orientation]) if orientation in STORED else shown
    exif = stored.getexif()
    exif[TAG] = orientation
    stored.save(path, exif=exif)
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), pixels)
    down, across = np.nonzero(np.asarray(stored)[..., 0])
    box = (across.min(), down.min(), across.max() - across.min() + 1, down.max() - down.min() + 1)
    return tuple(map(int, box)), stored.size[::-1]


def write_coco(path, name, box, size):
    path.write_text(json.dumps({
        "images": [{"id": 1, "file_name": name, **({} if size is None else {"height": size[0], "width": size[1]})}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": list(box)}],
        "categories": [{"id": 1, "name": "cat"}],
    }))  # fmt: skip


def cat_and_region(root, name, *, exif, annotations, frame):
    """Where the decoded photo is red, and where the cat's region is, both on the model's input."""
    with (root / "photos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], [name, "roses"]])
    config = DatasetConfig(csv=root / "photos.csv", classes=("roses", "tulips"), exif=exif, filter="nearest")
    dataset = load_dataset(config, model_classes=None, runs_dir=root / "runs", limit=None, seed=1, num_workers=1)
    found = load_annotations(
        annotations, samples=dataset.samples, images=dataset.images, classes=dataset.classes, frame=frame
    )
    photos = Photos(dataset, config, INPUT)
    regions = found.on_input(name, photos.placement(name), photos.orientation(name))
    pixels = load_image(root / name, image_size=INPUT, config=config)
    return pixels[..., 0] > 127, regions.coverage["cat"] > 0.5


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["shown", "stored", "sized as shown", "sized as stored"])
def test_the_region_is_on_the_cat(form, orientation, exif, tmp_path):
    stored_box, stored_size = draw(tmp_path / "a.png", orientation)
    is_shown = "shown" in form
    box, size = (CAT, SIDES) if is_shown else (stored_box, stored_size)
    # Turned by half, or flipped, sizes do not tell.
    has_told = "sized" in form and orientation in (1, 5, 6, 7, 8)
    write_coco(tmp_path / "a.json", "a.png", box, size if "sized" in form else None)
    frame = "auto" if has_told else "upright" if is_shown else "stored"
    red, region = cat_and_region(tmp_path, "a.png", exif=exif, annotations=tmp_path / "a.json", frame=frame)
    np.testing.assert_array_equal(region, red)


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("form", ["yolo", "mask"])
def test_other_formats(form, exif, tmp_path):
    draw(tmp_path / "a.png", 6)
    folder, (x, y, width, height) = tmp_path / "annotations", CAT
    if form == "yolo":
        folder.mkdir()
        parts = ((x + width / 2) / SIDES[1], (y + height / 2) / SIDES[0], width / SIDES[1], height / SIDES[0])
        (folder / "a.txt").write_text(" ".join(map(str, (0, *parts))))
        (folder / "classes.txt").write_text("cat\n")
    else:
        (folder / "cat").mkdir(parents=True)
        mask = np.zeros(SIDES, np.uint8)
        mask[y : y + height, x : x + width] = 255
        Image.fromarray(mask).save(folder / "cat" / "a.png")
    frame = "upright" if form == "yolo" else "auto"
    red, region = cat_and_region(tmp_path, "a.png", exif=exif, annotations=folder, frame=frame)
    np.testing.assert_array_equal(region, red)


@pytest.mark.parametrize("exif", ["ignore", "apply"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tiff_is_turned_upright_when_it_is_read(orientation, exif, tmp_path):
    draw(tmp_path / "a.tif", orientation)
    write_coco(tmp_path / "a.json", "a.tif", CAT, SIDES)
    red, region = cat_and_region(tmp_path, "a.tif", exif=exif, annotations=tmp_path / "a.json", frame="auto")
    np.testing.assert_array_equal(region, red)
