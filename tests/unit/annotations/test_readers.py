import json

import numpy as np
import pytest
from annotated_flowers import DOG, NAMES, WRITERS, write_coco, write_csv, write_png, write_voc, write_yolo
from PIL import Image

from evalharness.annotations import READERS, detect_format, read_annotations
from evalharness.errors import ConfigError, DatasetError


def read(path, annotations_format=None):
    return read_annotations(path, annotations_format)[1]


def change(path, **changes):
    content = json.loads(path.read_text())
    content["annotations"][0].update(changes)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("kind", WRITERS)
def test_formats_are_detected(kind, tmp_path):
    path = WRITERS[kind](tmp_path)
    assert detect_format(path) == kind.split()[0]
    assert read(path, kind.split()[0]) == read(path)


def test_every_reader_says_what_it_reads():
    assert list(READERS) == ["coco", "csv", "png", "voc", "yolo"]
    assert all(reader.description and reader.suffix.startswith(".") for reader in READERS.values())


def test_formats_that_cannot_be_told(tmp_path):
    with pytest.raises(ConfigError, match="files with no ending"):
        detect_format(tmp_path)
    write_png(tmp_path)
    write_voc(tmp_path)
    with pytest.raises(ConfigError, match=r"got files for png and voc.*Set dataset.annotations_format"):
        detect_format(tmp_path)
    with pytest.raises(ConfigError, match=r"expected one of coco, csv, png, voc, yolo, got 'labelme'"):
        read(tmp_path, "labelme")
    with pytest.raises(DatasetError, match="no annotations at this path"):
        read(tmp_path / "missing.json")
    with pytest.raises(DatasetError, match=r"expected a file \(coco\), got a folder"):
        read(tmp_path, "coco")
    with pytest.raises(DatasetError, match=r"expected a folder \(png\), got a file"):
        read(write_csv(tmp_path), "png")


def test_coco_faults_are_listed(tmp_path):
    path = write_coco(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"] += [
        {"id": 5, "image_id": 7, "category_id": 3, "segmentation": {"size": [12, 20], "counts": [5, 5]}},
        {"id": 6, "image_id": 7, "category_id": 3, "segmentation": {"size": [2, 5], "counts": [5, 5]}},
        {"id": 7, "image_id": 7, "category_id": 3, "bbox": [0, 0, None, 1]},
    ]
    content["images"] += [{"id": 9, "file_name": NAMES[0], "height": 24, "width": 40}]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith("4 entries of")
    for part in (
        "annotation 5: its run lengths add up to 10",
        "annotation 6: its run lengths have the size [2, 5], its image [12, 20]",
        "annotation 7: its bbox is [0, 0, None, 1], not numbers",
        "'test/roses/1.jpg' (image 7 and image 9): its size is 20 x 12 and 40 x 24 pixels",
    ):
        assert part in text


def _spoil(entries, **values):
    return lambda content: content[entries][0].update(values)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_spoil("images", height="abc"), "image 7: height 'abc' and width 20 are not numbers of pixels"),
        (_spoil("images", height=[12]), "image 7: height [12] and width 20 are not numbers of pixels"),
        (_spoil("images", width=float("inf")), "image 7: height 12 and width inf are not numbers of pixels"),
        (_spoil("images", id=[0]), "image 'test/roses/1.jpg' (entry 1): its id is [0], not a number or text"),
        (_spoil("images", id=None), "image 'test/roses/1.jpg' (entry 1): its id is None"),
        (_spoil("annotations", image_id=[0]), "annotation 1: image_id [0] is not among the images"),
        (_spoil("annotations", category_id={}), "annotation 1: category_id {} has no name among the categories"),
        (_spoil("annotations", bbox=[10**400, 0, 1, 1]), "annotation 1: int too large"),
        (_spoil("annotations", segmentation=5), "annotation 1: its segmentation is 5, neither polygons nor"),
        (_spoil("categories", id=[1]), "category 'dog': its id is [1], not a number or text"),
        (_spoil("categories", name="d\0g"), "category 'd\\x00g': its name contains a NUL character"),
    ],
)
def test_coco_values_of_another_kind_are_told(spoil, told, tmp_path):
    path = write_coco(tmp_path)
    content = json.loads(path.read_text())
    spoil(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_coco_segmentation_beats_box_and_an_empty_one_does_not(tmp_path):
    path = change(write_coco(tmp_path, "polygon"), bbox=[0, 0, 1, 1])
    assert type(read(path).images[0].shapes[0][1]).__name__ == "Polygons"
    assert type(read(change(path, segmentation=[])).images[0].shapes[0][1]).__name__ == "Box"


@pytest.mark.parametrize(
    "text", ["{", "[]", "9" * 5000, '{"images": []}', '{"images": [], "annotations": [1], "categories": []}']
)
def test_other_json_is_no_coco(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match="expected a COCO file"):
        read(tmp_path / "a.json")


def test_csv_faults_are_listed(tmp_path):
    rows = [("", "dog", *DOG), (NAMES[0], "", *DOG), (NAMES[0], "dog", "4 px", 2, 6, 5), (NAMES[0], "dog", 1, 2, 3, "")]
    with pytest.raises(DatasetError) as caught:
        read(write_csv(tmp_path, rows))
    text = str(caught.value)
    for part in (
        "line 2: the path is empty",
        "line 3: the category is empty",
        "line 4: x is '4 px'",
        "line 5: height is ''",
    ):
        assert part in text


def test_csv_rows_with_too_many_cells_and_nul_characters_are_listed(tmp_path):
    rows = [(NAMES[0], "dog", *DOG), (NAMES[0], "dog", *DOG, 7, 8), (NAMES[0], "d\0g", *DOG), (NAMES[1],)]
    with pytest.raises(DatasetError) as caught:
        read(write_csv(tmp_path, rows))
    text = str(caught.value)
    assert text.startswith("2 lines of")
    assert "line 3: it has 8 cells, the header 6" in text
    assert "line 4: the category 'd\\x00g' contains a NUL character" in text


@pytest.mark.parametrize("content", ['"{0},dog,1,1,2,3\n', '{0},"dog,1,1,2,3\n', "{0}," + "x" * 200_000 + ",1,1,2,3\n"])
def test_csv_that_cannot_be_taken_apart_tells_the_line(content, tmp_path):
    path = write_csv(tmp_path, [(NAMES[0], "dog", *DOG), (NAMES[1], '"a\nb"', *DOG)])
    with path.open("a") as file:
        file.write(content.format(NAMES[2]))
    with pytest.raises(DatasetError, match=r"boxes\.csv, from line 5\). Look for a quotation mark"):
        read(path)


def test_csv_without_a_column(tmp_path):
    with pytest.raises(DatasetError, match=r"expected the columns path,category.*without height"):
        read(write_csv(tmp_path, [], ("path", "category", "x", "y", "width", "h")))
    (tmp_path / "boxes.csv").write_bytes(b"")
    with pytest.raises(DatasetError, match="an empty file"):
        read(tmp_path / "boxes.csv")


def test_csv_in_another_encoding(tmp_path):
    (tmp_path / "boxes.csv").write_bytes("path,category,x,y,width,height\nré.jpg,chien,1,1,1,1\n".encode("latin-1"))
    with pytest.raises(DatasetError, match="expected UTF-8"):
        read(tmp_path / "boxes.csv")
    (tmp_path / "boxes.csv").write_bytes("path,category,x,y,width,height\nré.jpg,犬,1,1,1,1\n".encode("utf-8-sig"))
    assert read(tmp_path / "boxes.csv").images[0].shapes[0][0] == "犬"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_png_modes(mode, tmp_path):
    from evalharness.annotations.shapes import count_pixels

    parsed = read(write_png(tmp_path, mode=mode))
    assert count_pixels(parsed.images[0].shapes[0][1]) == 30
    assert (parsed.images[0].name, parsed.images[0].size) == ("test/roses/1", (12, 20))


def test_png_indices_and_sixteen_bits_count_by_value(tmp_path):
    from evalharness.annotations.shapes import count_pixels

    values = np.zeros((4, 4), np.uint8)
    values[0, 0], values[1, 1] = 1, 2
    palette = Image.fromarray(values, mode="P")
    # Entry 1 is black too: the index counts, not the colour.
    palette.putpalette([0, 0, 0, 0, 0, 0, 255, 0, 0])
    (tmp_path / "dog").mkdir()
    palette.save(tmp_path / "dog" / "1.png")
    Image.fromarray(values.astype(np.uint16) * 256).save(tmp_path / "dog" / "2.png")
    assert [count_pixels(image.shapes[0][1]) for image in read(tmp_path).images] == [2, 2]


def test_png_faults_are_listed(tmp_path):
    folder = write_png(tmp_path, name="1.png")
    write_png(tmp_path, name="dog/2.png", mode="RGBA")
    (folder / "dog" / "3.png").write_bytes(b"no picture")
    (folder / "dog" / "4.png").write_bytes((folder / "1.png").read_bytes()[:60])
    with pytest.raises(DatasetError) as caught:
        read(folder)
    text = str(caught.value)
    assert text.startswith("4 masks in")
    assert "1.png: it lies in no folder of a category" in text
    assert "dog/2.png: its mode is RGBA" in text


def test_voc_corners_count_from_one_and_belong_to_the_box(tmp_path):
    parsed = read(write_voc(tmp_path, corners=(1, 1, 1, 1)))
    box = parsed.images[0].shapes[0][1]
    assert (box.x, box.y, box.width, box.height) == (0, 0, 1, 1)


def test_voc_without_a_file_name_goes_by_its_own(tmp_path):
    image = read(write_voc(tmp_path, filename="")).images[0]
    assert (image.name, image.is_stem) == ("1", True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_voc_with_a_doctype_is_refused(encoding, tmp_path):
    folder = write_voc(tmp_path)
    bomb = '<!DOCTYPE a [<!ENTITY x "dog">]><annotation><filename>&x;</filename></annotation>'
    (folder / "2.xml").write_text(bomb, encoding=encoding)
    with pytest.raises(DatasetError, match=r"2\.xml: it has a DOCTYPE"):
        read(folder)


def test_voc_faults_are_listed(tmp_path):
    folder = write_voc(tmp_path, corners=("", 1, 2, 3))
    (folder / "2.xml").write_text("<annotation>")
    (folder / "3.xml").write_text("<html></html>")
    (folder / "4.xml").write_text("<annotation><object></object></annotation>")
    with pytest.raises(DatasetError) as caught:
        read(folder)
    text = str(caught.value)
    assert text.startswith("4 of 4 files")
    assert "1.xml: the object 'dog' has no number in bndbox/xmin" in text
    assert "4.xml: an object has no name" in text


@pytest.mark.parametrize("side", ["inf", "nan", "1e999", "wide"])
def test_voc_sizes_that_are_no_numbers_are_told(side, tmp_path):
    with pytest.raises(DatasetError, match=rf"1\.xml: its size/width is '{side}', not a number of pixels"):
        read(write_voc(tmp_path, size=(12, side)))


def test_voc_in_an_encoding_that_there_is_not(tmp_path):
    folder = write_voc(tmp_path)
    (folder / "2.xml").write_text('<?xml version="1.0" encoding="bogus"?><annotation></annotation>')
    with pytest.raises(DatasetError, match=r"2\.xml: unknown encoding: bogus"):
        read(folder)


def test_voc_files_have_a_size_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("evalharness.annotations.voc.MAX_BYTES", 50)
    with pytest.raises(DatasetError, match="more than 50"):
        read(write_voc(tmp_path))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1 0.5 0.5 0.1", "it has 4 fields"),
        ("1 0.5 0.5 0.1 0.1 7", "it has 6 fields"),
        ("7 0.5 0.5 0.1 0.1", "class 7 has no name (2 are named)"),
        ("1 50 50 10 10", "a coordinate is not between 0 and 1"),
        ("dog 0.5 0.5 0.1 0.1", "not a class and numbers"),
        ("1 nan 0.5 0.1 0.1", "a coordinate is not between 0 and 1"),
    ],
)
def test_yolo_faults_name_the_line(line, reason, tmp_path):
    with pytest.raises(DatasetError) as caught:
        read(write_yolo(tmp_path, text="0 0.5 0.5 0.1 0.1\n" + line))
    assert f"labels/test/roses/1.txt, line 2: {reason}" in str(caught.value)


def test_yolo_names(tmp_path):
    folder = write_yolo(tmp_path)
    assert read(folder).images[0].shapes[0][0] == "dog"
    (folder / "data.yaml").write_text("names: {0: cat, 1: wolf}\n")
    assert read(folder).images[0].shapes[0][0] == "wolf"
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("cat\nfox\n")
    assert read(folder / "labels", "yolo").images[0].shapes[0][0] == "fox"
    (folder / "classes.txt").unlink()
    for text in ("names: 3", "names: [", "- a", "[" * 5000):
        (folder / "data.yaml").write_text(text)
        with pytest.raises(DatasetError, match="category names cannot be read"):
            read(folder)
    (folder / "data.yaml").unlink()
    with pytest.raises(DatasetError, match=r"expected classes.txt or data.yaml"):
        read(folder)


def test_yolo_lists_beside_the_labels_are_passed_over_and_empty_files_are_not(tmp_path):
    folder = write_yolo(tmp_path, text="")
    (folder / "train.txt").write_text("images/test/roses/1.jpg\n")
    assert [(image.name, image.shapes) for image in read(folder).images] == [("images/test/roses/1", ())]
