"""Photos that are stored turned: regions drawn upright land where they were drawn, and doubts are told."""

import json

import numpy as np
import pytest
from annotated_flowers import CLASSES, NAMES, images, samples
from PIL import Image, ImageOps
from pycocotools import mask as coco_mask

from evalharness.annotations import load_annotations, unite
from evalharness.annotations.frames import frame_size, to_stored
from evalharness.annotations.shapes import Box, Polygons, ShapeError, decode, encode, encode_mask
from evalharness.audit.geometry import turn_upright
from evalharness.errors import DatasetError

ORIENTATIONS = range(1, 9)
SIDES = (12, 20)


def stored_turned(orientation):
    """A photo with a red corner as stored, and as any viewer shows it."""
    pixels = np.zeros((*SIDES, 3), np.uint8)
    pixels[1:4, 2:9] = (255, 0, 0)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    return pixels[..., 0] > 0, np.asarray(ImageOps.exif_transpose(image))[..., 0] > 0


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_drawn_upright_is_turned_back_as_pillow_turns_the_photo(orientation):
    stored, upright = stored_turned(orientation)
    size = upright.shape
    down, across = np.nonzero(upright)
    (top, bottom), (left, right) = (int(down.min()), int(down.max()) + 1), (int(across.min()), int(across.max()) + 1)
    ring = (left, top, right, top, right, bottom, left, bottom)
    parts = tuple(number / size[1 - place % 2] for place, number in enumerate(ring))
    for shape in (
        encode_mask(upright),
        Box(left, top, right - left, bottom - top),
        Box(parts[0], parts[1], parts[2] - parts[0], parts[5] - parts[1], is_relative=True),
        Polygons((ring,)),
        Polygons((parts,), is_relative=True),
    ):
        np.testing.assert_array_equal(decode(encode(to_stored(shape, size, orientation), stored.shape)), stored)
    np.testing.assert_array_equal(turn_upright(stored, orientation), upright)


def load(folder, *, orientation, size, frame="auto", box=(2, 1, 7, 3)):
    """A box on one photo; the size as the annotations say it, (height, width), or none in YOLO."""
    infos = images(NAMES, SIDES, orientation)
    if size is None:
        (folder / "labels").mkdir()
        height, width = frame_size(infos[NAMES[0]], "upright" if frame == "upright" else "stored")
        x, y, w, h = box
        line = f"0 {(x + w / 2) / width} {(y + h / 2) / height} {w / width} {h / height}"
        (folder / "labels" / "1.txt").write_text(line)
        (folder / "labels" / "classes.txt").write_text("dog")
        path = folder / "labels"
        known = {name: info for name, info in infos.items() if name == NAMES[0]}
    else:
        path = folder / "coco.json"
        path.write_text(json.dumps({
            "images": [{"id": 1, "file_name": NAMES[0], "height": size[0], "width": size[1]}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": list(box)}],
            "categories": [{"id": 1, "name": "dog"}],
        }))  # fmt: skip
        known = infos
    chosen = [sample for sample in samples() if sample.row_id in known]
    return load_annotations(path, samples=chosen, images=known, classes=CLASSES, frame=frame)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_sizes_tell_the_frame(orientation, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    as_stored = load(tmp_path / "a", orientation=orientation, size=SIDES)
    assert (as_stored.upright_rows, as_stored.doubts) == ((), ())
    expected = np.zeros(SIDES, bool)
    expected[1:4, 2:9] = True
    np.testing.assert_array_equal(as_stored.masks(NAMES[0])["dog"], expected)
    shown = load(tmp_path / "b", orientation=orientation, size=SIDES[::-1])
    upright = np.zeros(SIDES[::-1], bool)
    upright[1:4, 2:9] = True
    np.testing.assert_array_equal(turn_upright(shown.masks(NAMES[0])["dog"], orientation), upright)
    assert shown.upright_rows == (NAMES[0],)
    assert any("annotated upright" in text and NAMES[0] in text for text in shown.messages)


@pytest.mark.parametrize(("orientation", "size"), [(3, SIDES), (2, SIDES), (6, None), (3, None)])
def test_where_nothing_tells_it_is_taken_as_stored_and_told(orientation, size, tmp_path):
    found = load(tmp_path, orientation=orientation, size=size)
    (doubt,) = found.doubts
    assert doubt.row_ids == (NAMES[0],)
    assert "nothing tells" in doubt.sentence
    assert "dataset.annotations_frame=" in doubt.sentence
    assert found.masks(NAMES[0])["dog"][1:4, 2:9].all()
    shown = turn_upright(unite(found.if_upright[NAMES[0]])["dog"], orientation)
    if size is not None:
        assert shown[1:4, 2:9].all()
    assert shown.shape == frame_size(images(NAMES, SIDES, orientation)[NAMES[0]], "upright")


def test_what_the_sizes_of_others_tell_is_said(tmp_path):
    infos = {**images(NAMES[:1], SIDES, 6), **images(NAMES[1:], SIDES, 3)}
    entries = [(1, SIDES[::-1]), (2, SIDES), (3, SIDES)]
    (tmp_path / "coco.json").write_text(json.dumps({
        "images": [{"id": n, "file_name": NAMES[n - 1], "height": size[0], "width": size[1]} for n, size in entries],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [2, 1, 7, 3]} for n, _ in entries],
        "categories": [{"id": 1, "name": "dog"}],
    }))  # fmt: skip
    (doubt,) = load_annotations(tmp_path / "coco.json", samples=samples(), images=infos, classes=CLASSES).doubts
    assert doubt.sentence.startswith("2 annotated photos are stored turned")
    assert doubt.sentence.endswith("By their sizes, others were drawn 1 upright")


def test_masks_tell_the_size_where_nothing_else_does(tmp_path):
    mask = np.zeros(SIDES[::-1], np.uint8, order="F")
    mask[1:4, 2:9] = 1
    runs = coco_mask.encode(mask)
    (tmp_path / "coco.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": NAMES[0]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1,
                         "segmentation": {"size": runs["size"], "counts": runs["counts"].decode()}}],
        "categories": [{"id": 1, "name": "dog"}],
    }))  # fmt: skip
    infos = images(NAMES, SIDES, 6)
    found = load_annotations(tmp_path / "coco.json", samples=samples(), images=infos, classes=CLASSES)
    assert (found.upright_rows, found.doubts) == ((NAMES[0],), ())
    np.testing.assert_array_equal(turn_upright(found.masks(NAMES[0])["dog"], 6), mask)


@pytest.mark.parametrize("size", [None, SIDES[::-1]])
def test_the_config_settles_it(size, tmp_path):
    found = load(tmp_path, orientation=6, size=size, frame="upright")
    assert found.doubts == ()
    upright = turn_upright(found.masks(NAMES[0])["dog"], 6)
    assert upright[1:4, 2:9].all()
    assert upright.sum() == 21


def test_sizes_against_the_config_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"stored turned \(EXIF\), and dataset\.annotations_frame=stored"):
        load(tmp_path, orientation=6, size=SIDES[::-1], frame="stored")


def test_an_upright_photo_has_one_frame(tmp_path):
    found = load(tmp_path, orientation=1, size=SIDES, frame="upright")
    assert (found.upright_rows, found.doubts) == ((), ())
    assert not any("EXIF" in text for text in found.messages)


def test_shapes_that_are_none_are_told_in_either_frame():
    with pytest.raises(ShapeError, match="odd number of coordinates"):
        encode(to_stored(Polygons(((1, 2, 3, 4, 5, 6, 7),)), SIDES[::-1], 6), SIDES)
    with pytest.raises(ShapeError, match="negative side"):
        encode(to_stored(Box(5, 5, -3, 2), SIDES[::-1], 6), SIDES)
    with pytest.raises(ShapeError, match="run lengths"):
        to_stored(encode_mask(np.zeros(SIDES, bool)), SIDES[::-1], 6)
