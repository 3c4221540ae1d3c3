"""The photo set on disk: layouts, ground truth, balance, cache, and that colour alone does not solve it."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evalharness.example import photos as photo_set
from evalharness.example.coco import bounding_box, encode_mask
from evalharness.example.photos import CLASSES, DISTRACTORS, draw_test_photos, generate_photos


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return generate_photos(tmp_path_factory.mktemp("cache"), num_photos=60)


def _decode(segmentation):
    """An independent reading of run lengths: one pixel at a time, down the columns."""
    height, width = segmentation["size"]
    values = [index % 2 for index, count in enumerate(segmentation["counts"]) for _ in range(count)]
    return np.array([[values[column * height + row] for column in range(width)] for row in range(height)], bool)


def test_run_lengths_of_a_small_mask():
    mask = np.array([[0, 1, 1], [0, 1, 0]], bool)
    assert encode_mask(mask) == {"size": [2, 3], "counts": [2, 3, 1]}
    assert encode_mask(~mask) == {"size": [2, 3], "counts": [0, 2, 3, 1]}
    assert bounding_box(mask) == [1, 0, 2, 2]


def test_the_notebooks_csv(files):
    table = pd.read_csv(files.csv, dtype=str)
    assert list(table.columns) == ["base_path", "type_dir", "file_name"]
    assert len(table) == 60
    assert set(table["type_dir"]) == set(CLASSES)
    for row in table.itertuples():
        with Image.open(files.root / row.base_path / row.type_dir / row.file_name) as photo:
            assert (photo.format, photo.mode, photo.size) == ("JPEG", "RGB", (160, 128))


def test_animals_are_independent_of_the_class(files):
    table = pd.read_csv(files.table_csv, keep_default_na=False)
    assert list(table.columns) == ["path", "label", "distractor", "clean_path"]
    counts = Counter(zip(table["label"], table["distractor"], strict=True))
    assert {counts[label, animal] for label in CLASSES for animal in DISTRACTORS} == {2}
    assert {counts[label, ""] for label in CLASSES} == {6}


def test_each_animal_has_its_clean_scene(files):
    table = pd.read_csv(files.table_csv, keep_default_na=False).set_index("path")
    with_animal = table[table["distractor"] != ""]
    clean = table.loc[with_animal["clean_path"]]
    assert (clean["distractor"] == "").all()
    assert (clean["label"].to_numpy() == with_animal["label"].to_numpy()).all()
    assert set(Counter(with_animal["clean_path"]).values()) == {len(DISTRACTORS)}
    assert (table.loc[table["distractor"] == "", "clean_path"] == "").all()


def test_the_coco_file_holds_the_drawn_masks(files):
    document = json.loads(files.annotations.read_text())
    names = {category["id"]: category["name"] for category in document["categories"]}
    assert tuple(names.values()) == (*CLASSES, *DISTRACTORS)
    images = {image["id"]: image for image in document["images"]}
    by_path = {}
    for note in document["annotations"]:
        by_path.setdefault(images[note["image_id"]]["file_name"], []).append(note)
    assert len({note["id"] for note in document["annotations"]}) == len(document["annotations"])
    drawn_photos = list(draw_test_photos(2))
    assert [drawn.path for drawn in drawn_photos] == [image["file_name"] for image in document["images"]]
    for drawn in drawn_photos[::7]:
        notes = by_path[drawn.path]
        assert [names[note["category_id"]] for note in notes] == [item.category for item in drawn.photo.objects]
        for note, item in zip(notes, drawn.photo.objects, strict=True):
            assert np.array_equal(_decode(note["segmentation"]), item.mask)
            rows, columns = np.nonzero(item.mask)
            assert note["area"] == len(rows)
            size = [columns.max() - columns.min() + 1, rows.max() - rows.min() + 1]
            assert note["bbox"] == [columns.min(), rows.min(), *size]


def test_files_hold_the_drawn_photos(files):
    for drawn in list(draw_test_photos(2))[::11]:
        with Image.open(files.root / drawn.path) as photo:
            stored = np.asarray(photo).astype(int)
        assert np.abs(stored - drawn.photo.image).mean() < 6


def test_a_second_use_draws_nothing(files, monkeypatch):
    monkeypatch.setattr(photo_set, "draw_photos", None)
    assert generate_photos(files.root.parent, num_photos=60) == files


def test_a_killed_generation_leaves_no_set(tmp_path, monkeypatch):
    def fail_late(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(photo_set, "coco_document", fail_late)
        with pytest.raises(KeyboardInterrupt):
            generate_photos(tmp_path, num_photos=30)
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    finished = generate_photos(tmp_path, num_photos=30)
    assert finished.annotations.is_file()
    assert len(pd.read_csv(finished.csv)) == 30


@pytest.mark.slow
@pytest.mark.exhaustive
def test_colour_histograms_do_not_solve_it():
    """Bins of each channel and joint bins of all three, over 600 photos without animals; measured 0.59."""
    clean = [drawn for drawn in draw_test_photos(40, seed=77) if not drawn.distractor]
    features = np.stack([_histogram(drawn.photo.image) for drawn in clean])
    labels = np.array([drawn.label for drawn in clean])
    order = np.random.default_rng(0).permutation(len(clean))
    train, test = order[:450], order[450:]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=2000))
    accuracy = model.fit(features[train], labels[train]).score(features[test], labels[test])
    assert accuracy < 0.7, accuracy


def _histogram(image):
    pixels = image.reshape(-1, 3).astype(float)
    joint = np.histogramdd(pixels, bins=6, range=[(0, 256)] * 3)[0].ravel()
    single = [np.histogram(pixels[:, channel], bins=16, range=(0, 256))[0] for channel in range(3)]
    return np.sqrt(np.concatenate([joint, *single]) / len(pixels))
