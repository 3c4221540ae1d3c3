"""Masks whose values are categories, in the forms that annotation tools write."""

import numpy as np
import pytest
from PIL import Image

from evalharness.annotations import detect_format, read_annotations
from evalharness.annotations.class_maps import pixel_values
from evalharness.annotations.shapes import decode
from evalharness.errors import DatasetError

CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\ndog:50,183,250::\n"
CAT, DOG, NOTHING = (250, 50, 83), (50, 183, 250), (0, 0, 0)
VOC_PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, *[0] * 753, 224, 224, 192]
NUMBERS = np.array([[0, 1, 2], [0, 2, 2]], np.uint8)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "masks"
    path.mkdir()
    return path


def write_colours(path, pixels=(NOTHING, CAT, DOG)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([pixels], np.uint8)).save(path)


def write_numbers(path, numbers=NUMBERS, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(numbers)
    if palette:
        image = Image.fromarray(numbers, mode="P")
        image.putpalette(palette)
    image.save(path)


def masks(image):
    return {category: decode(runs).astype(int).tolist() for category, runs in image.shapes}


def read(folder):
    return read_annotations(folder, "png")[1]


def refused(folder):
    with pytest.raises(DatasetError) as caught:
        read(folder)
    return str(caught.value)


def write_cvat(folder, labels=CVAT):
    write_colours(folder / "SegmentationClass" / "roses" / "scan.2021.1.png")
    write_colours(folder / "SegmentationObject" / "roses" / "scan.2021.1.png", [NOTHING, (40, 20, 90), (80, 20, 90)])
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "ImageSets" / "Segmentation" / "default.txt").write_text("roses/scan.2021.1\n")
    if labels:
        (folder / "labelmap.txt").write_text(labels)


def test_segmentation_masks_of_cvat(folder):
    write_cvat(folder)
    assert detect_format(folder) == "png"
    parsed = read(folder)
    (image,) = parsed.images
    assert (image.name, image.is_stem, image.size) == ("roses/scan.2021.1", True, (1, 3))
    assert masks(image) == {"cat": [[0, 1, 0]], "dog": [[0, 0, 1]]}
    assert parsed.notes == ("Masks were read by labelmap.txt, by colour; the background is no category.",)


def test_the_folder_of_classes_may_be_given_itself(folder):
    write_cvat(folder)
    assert read(folder / "SegmentationClass").images[0].name == "roses/scan.2021.1"
    write_colours(folder / "JPEGImages" / "1.png")
    assert "1 PNG file outside of SegmentationClass not read: JPEGImages/1.png." in read(folder).notes


def test_without_a_label_file_it_is_said_what_is_missing(folder):
    write_cvat(folder, labels=None)
    text = refused(folder)
    assert text.startswith("the masks in SegmentationClass have no category names: expected one of labelmap.txt")
    assert "`number name` in each line" in text


def test_colours_that_the_file_does_not_name_are_listed(folder):
    write_cvat(folder, labels=CVAT.replace("dog:50,183,250::\n", ""))
    text = refused(folder)
    assert "expected values that labelmap.txt names, got (50, 183, 250)" in text


def test_a_mask_of_nothing_is_an_image_that_was_looked_at(folder):
    write_cvat(folder)
    write_colours(folder / "SegmentationClass" / "2.png", [NOTHING])
    assert [(image.name, len(image.shapes)) for image in read(folder).images] == [("2", 0), ("roses/scan.2021.1", 2)]


@pytest.mark.parametrize(
    "labels",
    [
        CVAT,
        "background:0,0,0::\ncat:::\ndog:::\n",
        "background\ncat\ndog\n",
        "__ignore__\n_background_\ncat\ndog\n",
        "???\r\ncat\r\ndog",
        "0: background\n1: cat\n2: dog",
        "0 background\n1 cat\n2 dog",
        "1,cat\n2,dog\n7,bird",
        "0\tbackground\n\n1\tcat\n2\tdog",
        "cat\ndog",
    ],
)
@pytest.mark.parametrize("palette", [None, VOC_PALETTE])
def test_numbers_are_named_by_every_kind_of_label_file(labels, palette, folder):
    write_numbers(folder / "roses" / "1.png", palette=palette)
    (folder / "labels.txt").write_text(labels)
    (image,) = read(folder).images
    assert image.name == "roses/1"
    assert masks(image) == {"cat": [[0, 1, 0], [0, 0, 0]], "dog": [[0, 0, 1], [0, 1, 1]]}


@pytest.mark.parametrize("labels", ["0 0 0 Void\n128 0 0 cat\n0 128 0 dog", "0,0,0,void\n128,0,0,cat\n0,128,0,dog"])
def test_colours_before_names(labels, folder):
    write_numbers(folder / "1.png", palette=VOC_PALETTE)
    (folder / "label_colors.txt").write_text(labels)
    assert list(masks(read(folder).images[0])) == ["cat", "dog"]


def test_the_palette_counts_before_the_number(folder):
    write_numbers(folder / "1.png", palette=[*NOTHING, *DOG, *CAT])
    (folder / "labelmap.txt").write_text(CVAT)
    assert masks(read(folder).images[0]) == {"dog": [[0, 1, 0], [0, 0, 0]], "cat": [[0, 0, 1], [0, 1, 1]]}


def test_the_border_of_pascal_voc_is_left_out_and_told(folder):
    write_numbers(folder / "1.png", np.array([[0, 1, 255]], np.uint8), palette=VOC_PALETTE)
    (folder / "labels.txt").write_text("background\ncat\ndog")
    parsed = read(folder)
    assert masks(parsed.images[0]) == {"cat": [[0, 1, 0]]}
    assert parsed.notes[1] == "The border that says nothing (255 in the masks) was left out."
    write_numbers(folder / "1.png", np.array([[0, 255]], np.uint8))
    assert "got 255" in refused(folder)


def test_lines_that_may_be_counted_from_0_or_1_are_refused(folder):
    write_numbers(folder / "1.png", np.array([[0, 1]], np.uint8))
    (folder / "classes.txt").write_text("cat\ndog\n")
    text = refused(folder)
    assert "'cat' by line, counted from 0" in text
    assert "'cat' by line, counted from 1" in text or "'background' by line, counted from 1" in text
    assert "`1 dog`" in text


def test_sixteen_bits(folder):
    write_numbers(folder / "1.png", np.array([[0, 300]], np.uint16))
    (folder / "labels.txt").write_text("0 background\n300 dog")
    assert masks(read(folder).images[0]) == {"dog": [[0, 1]]}


def test_folders_of_categories_beside_a_file_of_names_stay_folders(folder):
    write_numbers(folder / "dog" / "1.png", np.array([[0, 255]], np.uint8))
    (folder / "classes.txt").write_text("daisy\nroses\n")
    parsed = read(folder)
    assert masks(parsed.images[0]) == {"dog": [[0, 1]]}
    assert parsed.notes == ()


@pytest.mark.parametrize("labels", ["background\nroses", "daisy\nroses\ntulips"])
def test_what_may_be_folders_or_values_is_refused(labels, folder):
    write_numbers(folder / "dog" / "1.png", np.array([[0, 1]], np.uint8))
    (folder / "labels.txt").write_text(labels)
    text = refused(folder)
    assert "values that labels.txt may name, in folders that may be it too (dog)" in text
    assert "Move labels.txt away" in text


def test_several_values_in_a_folder_of_a_category_are_told(folder):
    write_numbers(folder / "dog" / "1.png")
    write_colours(folder / "cat" / "1.png")
    write_numbers(folder / "cat" / "2.png", np.array([[0, 7]], np.uint8))
    assert read(folder).notes == (
        "2 masks with more than one value inside, which all count alike: cat/1.png, dog/1.png.",
    )


def test_masks_without_folders_or_labels_say_what_is_missing(folder):
    write_numbers(folder / "1.png")
    assert "1.png: it lies in no folder of a category, and no label file names what it holds" in refused(folder)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("", "expected a category a line, got none"),
        ("a:0,0,0::\nb:0,0,0::", "the colour (0, 0, 0) has two names: got 'a' and 'b'"),
        ("1 a\n1 b", "the number 1 has two names: got 'a' and 'b'"),
        ("a:0,0,256::", "expected colours of 0 to 255, got 0,0,256"),
    ],
)
def test_label_files_that_cannot_be_used(labels, told, folder):
    write_cvat(folder, labels=labels or "# nothing\n")
    assert told in refused(folder)


def test_two_label_files_are_refused(folder):
    write_cvat(folder)
    (folder / "classes.txt").write_text("cat\ndog\n")
    assert "expected one label file, got labelmap.txt and classes.txt" in refused(folder)


def test_photos_are_no_masks(folder):
    (folder / "labels.txt").write_text("background\ncat")
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)).save(folder / "1.png")
    assert "different values, more than a mask of categories (256)" in refused(folder)


def test_files_of_systems_are_passed_over(folder):
    write_numbers(folder / "dog" / "1.png", np.array([[0, 255]], np.uint8))
    for name in (".DS_Store", "Thumbs.db", "dog/._1.png", "desktop.ini"):
        (folder / name).write_bytes(b"\0")
    (folder / "dog" / ".ipynb_checkpoints").mkdir()
    (folder / "dog" / ".ipynb_checkpoints" / "1-checkpoint.png").write_bytes(b"\0")
    assert detect_format(folder) == "png"
    parsed = read(folder)
    assert ([image.name for image in parsed.images], parsed.notes) == (["1"], ())


def test_lists_beside_annotations_do_not_hide_their_format(folder):
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "1.xml").write_text("<annotation/>")
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "default.txt").write_text("1\n")
    (folder / "labelmap.txt").write_text(CVAT)
    for name in (".DS_Store", "README.roboflow.txt", "LICENSE.txt"):
        (folder / name).write_text("x")
    assert detect_format(folder) == "voc"


def test_colours_are_packed_as_three_bytes():
    image = Image.fromarray(np.array([[[1, 2, 3], [255, 0, 128]]], np.uint8))
    assert pixel_values(image).tolist() == [[0x010203, 0xFF0080]]
    assert pixel_values(image.convert("L")).shape == (1, 2)


@pytest.mark.parametrize(
    ("values", "is_varied"), [([0, 0, 0], False), ([0, 7, 7], False), ([0, 7, 8], True), ([7, 7, 7], False)]
)
def test_whether_there_are_several_values_inside(values, is_varied, folder):
    (folder / "dog").mkdir()
    Image.fromarray(np.array([values], np.uint8)).save(folder / "dog" / "1.png")
    assert any("more than one value inside" in note for note in read(folder).notes) == is_varied
