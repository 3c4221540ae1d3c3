import json

import numpy as np
import pytest
from annotated_flowers import (
    CLASSES,
    DOG,
    NAMES,
    SIZE,
    WRITERS,
    dog_mask,
    images,
    samples,
    write_coco,
    write_csv,
    write_png,
    write_voc,
)

from evalharness.annotations import load_annotations
from evalharness.errors import ConfigError, DatasetError


def load(path, *, names=NAMES, size=SIZE, orientation=1, **given):
    return load_annotations(
        path, samples=samples(names), images=images(names, size, orientation), classes=CLASSES, **given
    )


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_region(kind, tmp_path):
    annotations = load(WRITERS[kind](tmp_path))
    assert annotations.annotations_format == kind.split()[0]
    assert list(annotations.regions) == [NAMES[0]]
    np.testing.assert_array_equal(annotations.masks(NAMES[0])["dog"], dog_mask())
    assert annotations.roles == {"dog": "distractor"}
    assert annotations.unmatched_rows == NAMES[1:]
    assert annotations.messages == (f"2 of 3 rows have no annotations: {NAMES[1]}, {NAMES[2]}.",)


def test_the_digest_is_of_the_regions_and_not_of_the_format(tmp_path):
    digests = set()
    for number, write in enumerate(WRITERS.values()):
        (tmp_path / str(number)).mkdir()
        digests.add(load(write(tmp_path / str(number))).digest)
    assert len(digests) == 1
    moved = load(write_csv(tmp_path, [(NAMES[0], "dog", 5, *DOG[1:])])).digest
    renamed = load(write_csv(tmp_path, [(NAMES[0], "cat", *DOG)])).digest
    elsewhere = load(write_csv(tmp_path, [(NAMES[1], "dog", *DOG)])).digest
    assert len(digests | {moved, renamed, elsewhere}) == 4


def test_regions_of_a_category_are_united(tmp_path):
    rows = [(NAMES[0], "dog", 0, 0, 3, 2), (NAMES[0], "dog", 2, 0, 3, 2), (NAMES[0], "cat", 0, 5, 1, 1)]
    annotations = load(write_csv(tmp_path, rows))
    masks = annotations.masks(NAMES[0])
    assert {name: mask.sum() for name, mask in masks.items()} == {"dog": 10, "cat": 1}
    assert len(annotations.regions[NAMES[0]]) == 3
    assert annotations.masks(NAMES[1]) == {}


def test_an_image_without_regions_is_annotated(tmp_path):
    annotations = load(write_csv(tmp_path, [(NAMES[0], "", "", "", "", ""), (NAMES[1], "dog", *DOG)]))
    assert annotations.regions[NAMES[0]] == ()
    assert annotations.unmatched_rows == NAMES[2:]


def test_roles(tmp_path):
    rows = [(NAMES[0], category, *DOG) for category in ("dog", "Roses", "tulips", "label")]
    annotations = load(write_csv(tmp_path, rows), roles={"label": "ignore", "tulips": "distractor"})
    assert annotations.roles == {"dog": "distractor", "Roses": "object", "tulips": "distractor", "label": "ignore"}


def test_unknown_role_and_unknown_category(tmp_path):
    with pytest.raises(ConfigError, match=r"role of the category 'dog'.*one of object, distractor, ignore, got 'foe'"):
        load(write_csv(tmp_path), roles={"dog": "foe"})
    annotations = load(write_csv(tmp_path), roles={"dgo": "ignore"})
    assert annotations.unknown_categories == ("dgo",)
    assert "'dgo' (meant is perhaps 'dog'); there are dog." in annotations.messages[-1]


def test_empty_and_full_regions_are_told(tmp_path):
    rows = [(NAMES[0], "dog", 3, 3, 0, 5), (NAMES[0], "cat", 30, 0, 5, 5), (NAMES[1], "sky", -1, -1, 99, 99)]
    annotations = load(write_csv(tmp_path, rows))
    assert annotations.regions[NAMES[0]] == ()
    assert annotations.masks(NAMES[1])["sky"].all()
    assert len(annotations.empty_regions) == 2
    assert len(annotations.full_regions) == 1
    text = "\n".join(annotations.messages)
    assert "2 regions cover no pixel and are left out: 'dog' in 'test/roses/1.jpg' (line 2)" in text
    assert "1 regions cover their whole image: 'sky' in 'test/roses/2.jpg'" in text


def test_what_hangs_over_is_cut_off(tmp_path):
    annotations = load(write_csv(tmp_path, [(NAMES[0], "dog", -3, 10, 5, 9)]))
    assert annotations.masks(NAMES[0])["dog"].sum() == 2 * 2


def test_annotated_images_without_a_row_are_told(tmp_path):
    annotations = load(write_csv(tmp_path, [("test/roses/9.jpg", "dog", *DOG), (NAMES[0], "dog", *DOG)]))
    assert annotations.unmatched_images == ("test/roses/9.jpg",)
    assert "1 annotated images are in no row: test/roses/9.jpg." in annotations.messages


def test_all_size_mismatches_are_listed(tmp_path):
    header = ("path", "category", "x", "y", "width", "height", "image_width", "image_height")
    rows = [(NAMES[0], "dog", *DOG, 40, 24), (NAMES[1], "dog", *DOG, 20, 12), (NAMES[2], "dog", *DOG, 24, 40)]
    with pytest.raises(DatasetError) as caught:
        load(write_csv(tmp_path, rows, header), orientation=6)
    text = str(caught.value)
    assert "2 annotations in" in text
    assert f"'{NAMES[0]}' (line 2): annotated at 40 x 24 pixels, the file has 20 x 12\n" in text
    assert "annotated at 24 x 40 pixels, the file has 20 x 12" in text
    assert NAMES[1] not in text
    assert "in the pixels of the file as stored" in text


@pytest.mark.parametrize("write", [write_coco, write_voc])
def test_sizes_that_files_declare_are_compared(write, tmp_path):
    with pytest.raises(DatasetError, match="annotated at 99 x 88 pixels, the file has 20 x 12"):
        load(write(tmp_path, size=(88, 99)))


def test_sizes_of_masks_are_compared(tmp_path):
    with pytest.raises(DatasetError, match="annotated at 8 x 4 pixels"):
        load(write_png(tmp_path, np.ones((4, 8), bool)))


def test_long_lists_of_faults_are_cut(tmp_path):
    names = [f"{number}.jpg" for number in range(30)]
    header = ("path", "category", "x", "y", "width", "height", "image_width", "image_height")
    with pytest.raises(DatasetError, match=r"30 annotations in(.|\n)*\.\.\. and 10 more"):
        load(write_csv(tmp_path, [(name, "dog", *DOG, 1, 1) for name in names], header), names=names)


def test_shapes_that_mean_nothing_are_listed(tmp_path):
    rows = [(NAMES[0], "dog", 1, 1, -5, 2), (NAMES[1], "dog", "nan", 1, 5, 2)]
    with pytest.raises(DatasetError) as caught:
        load(write_csv(tmp_path, rows))
    assert "negative side (-5 x 2)" in str(caught.value)
    assert "not finite" in str(caught.value)


def test_polygons_far_outside_are_refused(tmp_path):
    path = write_coco(tmp_path, "polygon")
    content = json.loads(path.read_text())
    content["annotations"][0]["segmentation"] = [[0, 0, 1e12, 0, 1e12, 1e12]]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="lies far outside the image"):
        load(path)


def test_png_masks_of_several_categories_join(tmp_path):
    write_png(tmp_path)
    folder = write_png(tmp_path, np.eye(12, 20) > 0, name="cat/roses/1.jpg.png")
    (folder / "readme.md").write_text("masks")
    with pytest.raises(DatasetError, match=r"all fit 'test/roses/1\.jpg'"):
        load(folder)
    (folder / "cat" / "roses" / "1.jpg.png").unlink()
    annotations = load(write_png(tmp_path, np.eye(12, 20) > 0, name="cat/test/roses/1.png"))
    assert {name: mask.sum() for name, mask in annotations.masks(NAMES[0]).items()} == {"cat": 12, "dog": 30}
    assert any("1 files in" in message and "not PNG files" in message for message in annotations.messages)


def test_regions_stay_small_in_memory(tmp_path):
    names = [f"{number}.jpg" for number in range(2000)]
    annotations = load(
        write_csv(tmp_path, [(n, "dog", 50, 40, 400, 300) for n in names]), names=names, size=(3000, 4000)
    )
    num_bytes = sum(len(region.runs.counts) for found in annotations.regions.values() for region in found)
    # Decoded they would take 12 MB each.
    assert num_bytes / len(names) < 1000
