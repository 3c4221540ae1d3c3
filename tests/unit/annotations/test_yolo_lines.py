"""What YOLO lines and the files beside them can mean."""

import numpy as np
import pytest

from evalharness.annotations import read_annotations
from evalharness.annotations.shapes import Box, Polygons
from evalharness.errors import DatasetError


@pytest.fixture
def read(tmp_path):
    def read_files(files, **naming):
        for name, text in {"classes.txt": "cat\ndog\n", **files}.items():
            path = tmp_path / "yolo" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text, **naming)
        return read_annotations(tmp_path / "yolo", "yolo")[1]

    return read_files


def refused(read, files):
    with pytest.raises(DatasetError) as caught:
        read(files)
    return str(caught.value)


def lines(rows):
    return "\n".join("1 " + " ".join(f"{number:g}" for number in row) for row in rows)


def poses(size, count=12, keypoints=2, seed=0):
    """Boxes of all sizes with key points in them, of which one is not labelled."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        width, height = random.uniform(0.1, 0.5, 2).round(4)
        x, y = random.uniform([width / 2, height / 2], [1 - width / 2, 1 - height / 2]).round(4)
        row = [x, y, width, height]
        for _ in range(keypoints):
            point = random.uniform([x - width / 2, y - height / 2], [x + width / 2, y + height / 2]).round(4)
            row += [*point, 1][:size]
        rows.append(row)
    rows[0][4 : 4 + size] = [0] * size
    return rows


def polygons(points, count=12, seed=0):
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        angles = np.linspace(0, 2 * np.pi, points, endpoint=False) + random.uniform(0, 1)
        radii = random.uniform(0.05, 0.15, points)
        centre = random.uniform(0.2, 0.8, 2)
        rows.append((centre[:, None] + radii * np.array([np.cos(angles), np.sin(angles)])).T.ravel().round(4))
    return rows


def test_a_box_with_visible_key_points_is_a_box(read):
    parsed = read({"labels/1.txt": lines(poses(3))})
    box = parsed.images[0].shapes[1][1]
    x, y, width, height = poses(3)[1][:4]
    assert (box.x, box.y, box.width, box.height) == pytest.approx((x - width / 2, y - height / 2, width, height))
    assert len(parsed.images[0].shapes) == 12
    assert parsed.notes[0].startswith(
        "12 lines with 2 key points behind the box, which is the region; key points are not read: labels/1.txt:1, "
    )


@pytest.mark.parametrize("keypoints", [1, 2, 4, 17])
@pytest.mark.parametrize("visibility", [0, 1, 2])
def test_the_number_of_key_points_does_not_matter(keypoints, visibility, read):
    rows = poses(3, keypoints=keypoints)
    for row in rows:
        row[6::3] = [visibility] * keypoints
    assert all(type(shape) is Box for _, shape in read({"labels/1.txt": lines(rows)}).images[0].shapes)


def test_key_points_with_a_confidence_behind(read):
    parsed = read({"labels/1.txt": lines([[*row, 0.8] for row in poses(3)])})
    assert type(parsed.images[0].shapes[0][1]) is Box
    assert [note.split(":")[0] for note in parsed.notes] == [
        "12 lines with 2 key points behind the box, which is the region; key points are not read",
        "12 lines with a confidence as last field, which is not read",
    ]


def test_key_points_far_from_their_box_may_be_polygons(read):
    rows = [[0.3, 0.3, 0.1, 0.1, 0.9, 0.9, 1, 0.8, 0.7, 1]] * 3
    text = refused(read, {"labels/1.txt": lines(rows)})
    assert "3 lines of 11 fields that fit polygons and boxes with 2 key points of 3 numbers" in text
    assert "labels/1.txt, line 1" in text
    assert "`kpt_shape: [2, 3]`" in text
    rows[1] = [*rows[1][:-1], 2]
    assert type(read({"labels/1.txt": lines(rows)}).images[0].shapes[0][1]) is Box


def test_key_points_without_visibility_may_be_polygons(read):
    files = {"labels/1.txt": lines(poses(2))}
    text = refused(read, files)
    assert "12 lines of 9 fields that fit polygons and boxes with 1 key point of 3 numbers and a confidence" in text
    assert "and boxes with 2 key points of 2 numbers" in text
    assert "Put the data.yaml" in text
    assert "`kpt_shape: [1, 3] or [2, 2]`" in text
    boxes = read({**files, "data.yaml": "names: [cat, dog]\nkpt_shape: [2, 2]\n"}).images[0].shapes
    assert all(type(shape) is Box for _, shape in boxes)
    drawn = read({**files, "data.yaml": "names: [cat, dog]\n"}).images[0].shapes
    assert all(type(shape) is Polygons for _, shape in drawn)


@pytest.mark.parametrize("keypoints", [1, 2, 3, 17])
def test_predicted_key_points_with_a_confidence_each_may_be_polygons(keypoints, read):
    rows = poses(3, keypoints=keypoints)
    for row in rows:
        row[6::3] = [0.9] * keypoints
    assert f"boxes with {keypoints} key point" in refused(read, {"labels/1.txt": lines(rows)})
    yaml = f"names: [cat, dog]\nkpt_shape: [{keypoints}, 3]\n"
    shapes = read({"labels/1.txt": lines(rows), "data.yaml": yaml}).images[0].shapes
    assert all(type(shape) is Box for _, shape in shapes)


@pytest.mark.parametrize("points", [3, 4, 5, 6, 8, 20])
def test_polygons_of_one_length_are_polygons(points, read):
    shapes = read({"labels/1.txt": lines(polygons(points))}).images[0].shapes
    assert len(shapes) == 12
    assert all(type(shape) is Polygons and len(shape.rings[0]) == 2 * points for _, shape in shapes)


def test_polygons_of_several_lengths_are_polygons_whatever_they_hold(read):
    rows = [poses(2, 1)[0], polygons(5, 1)[0], [0.5, 0.5, 0.1, 0.1]]
    shapes = read({"labels/1.txt": lines(rows)}).images[0].shapes
    assert [type(shape) for _, shape in shapes] == [Polygons, Polygons, Box]


def test_oriented_boxes_are_polygons(read):
    turned = [[0.5, 0.3, 0.7, 0.5, 0.5, 0.7, 0.3, 0.5], [0.3, 0.3, 0.35, 0.35, 0.3, 0.4, 0.25, 0.35]]
    for rows in (turned, turned[1:], [[0.3, 0.3, 0.4, 0.3, 0.4, 0.4, 0.3, 0.4]]):
        assert all(type(shape) is Polygons for _, shape in read({"labels/1.txt": lines(rows)}).images[0].shapes)


def test_confidences_are_skipped_and_told_once(read):
    parsed = read({"labels/1.txt": lines([[0.5, 0.5, 0.2, 0.2, 0.83]] * 3 + [[0.5, 0.5, 0.2, 0.2]])})
    assert len(set(parsed.images[0].shapes)) == 1
    assert parsed.notes == (
        "3 lines with a confidence as last field, which is not read: labels/1.txt:1, labels/1.txt:2, labels/1.txt:3.",
    )
    rows = [[*polygons(5)[0], 0.7], [*polygons(4)[1], 0.9]]
    parsed = read({"labels/1.txt": lines(rows)})
    assert [len(shape.rings[0]) for _, shape in parsed.images[0].shapes] == [10, 8]
    assert "2 lines with a confidence" in parsed.notes[0]


def test_tracks(read):
    parsed = read({"labels/1.txt": lines([[0.5, 0.5, 0.2, 0.2, 0.8, number] for number in (1, 2, 3)])})
    assert all(type(shape) is Box for _, shape in parsed.images[0].shapes)
    assert "the number of a track" in parsed.notes[0]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([0.5, 0.5, 0.2, 0.2, 1.5], "it has 6 fields, and the last, 1.5, is no confidence"),
        ([0.5, 0.5, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], "it has 11 fields, neither a box nor boxes with 2 key"),
        ([0.5, 7, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1], "a coordinate is not between 0 and 1"),
        ([float("nan")] * 4, "a coordinate is not between 0 and 1"),
    ],
)
def test_lines_that_do_not_fit_the_shape_of_key_points(row, told, read):
    files = {"data.yaml": "names: [cat, dog]\nkpt_shape: [2, 2]\n", "labels/1.txt": lines([row])}
    assert f"labels/1.txt, line 1: {told}" in refused(read, files)


@pytest.mark.parametrize("text", ["9" * 5000 + " 0.5 0.5 0.1 0.1", "1e999 0.5 0.5 0.1 0.1", "0.5 0.5 0.5 0.1 0.1"])
def test_classes_are_whole_numbers(text, read):
    assert "labels/1.txt, line 1: not a class and numbers" in refused(read, {"labels/1.txt": text})
    assert read({"labels/1.txt": "1.0 5e-1 0.5 0.1 0.1"}).images[0].shapes[0][0] == "dog"


NAMES = {
    "a list": "names: [cat, dog]",
    "a quoted list": "names: ['cat', \"dog\"]",
    "a list on lines": "names:\n  - cat\n  - dog",
    "a list on lines, not indented": "nc: 2\nnames:\n- cat\n- 'dog'",
    "a list broken over lines": "names: [\n  'cat',\n  'dog',\n]",
    "numbered": "names:\n  0: cat\n  1: dog",
    "numbered in braces": "names: {0: cat, 1: dog}",
    "quoted keys": "names:\n  '0': cat\n  \"1\": 'dog'",
    "JSON": '{"nc": 2, "names": {"0": "cat", "1": "dog"}}',
    "with a byte order mark": "\ufeffnames: [cat, dog]",
    "with comments": "# classes\nnames: # here\n  0: cat # zero\n  1: dog\n",
}


@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES)
def test_names_in_every_form(text, read):
    parsed = read({"classes.txt": None, "data.yaml": text, "labels/1.txt": "1 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.2 0.2"})
    assert [category for category, _ in parsed.images[0].shapes] == ["dog", "cat"]


def test_names_are_text_as_written(read):
    files = {"classes.txt": None, "data.yaml": "names: [yes, 007]", "labels/1.txt": "0 .5 .5 .1 .1\n1 .5 .5 .1 .1"}
    assert [category for category, _ in read(files).images[0].shapes] == ["yes", "007"]


@pytest.mark.parametrize(
    "text",
    [
        "names: cat", "names: {cat: 0}", "names: [[cat]]", "names: {0: cat, 0: dog}", "names: {'0': cat, '00': dog}",
        "names: {? [a] : b}", "names: [a, b]\nnames: [c]", "names: []", "nc: 2", "", "names: &a [*a]", "\0", "a: b: c",
        "x: &x [lol]\ny: &y [*x,*x,*x,*x,*x,*x,*x,*x,*x]\nnames: [*y,*y,*y,*y]",
    ],
)  # fmt: skip
def test_names_that_cannot_be_read(text, read):
    files = {"classes.txt": None, "data.yaml": text, "labels/1.txt": "1 0.5 0.5 0.1 0.1"}
    assert "category names cannot be read" in refused(read, files)


@pytest.mark.parametrize("shape", ["17", "[17]", "[17, 4]", "[0, 3]", "[a, 3]", "[[1], 3]"])
def test_shapes_of_key_points_that_cannot_be_read(shape, read):
    files = {"data.yaml": f"names: [cat, dog]\nkpt_shape: {shape}", "labels/1.txt": "1 0.5 0.5 0.1 0.1"}
    assert "`kpt_shape: [key points, 2 or 3]`" in refused(read, files)


def test_the_shape_of_key_points_may_stand_apart_from_the_names(read):
    files = {"data.yaml": "kpt_shape: [2, 2]", "labels/1.txt": lines(poses(2))}
    assert type(read(files).images[0].shapes[0][1]) is Box


def test_two_files_of_names_have_to_agree(read):
    files = {"data.yaml": "names: [cat, wolf]", "labels/1.txt": "1 0.5 0.5 0.1 0.1"}
    text = refused(read, files)
    assert "class 1 has two names: got 'dog' in" in text
    assert "'wolf' in" in text
    assert read({**files, "data.yaml": "names: [cat, dog, bird]"}).images[0].shapes[0][0] == "dog"


def test_a_class_on_a_blank_line_has_no_name_and_does_not_move_the_others(read):
    files = {"classes.txt": "cat\n\n dog \n\n", "labels/1.txt": "2 0.5 0.5 0.1 0.1"}
    assert read(files).images[0].shapes[0][0] == "dog"
    assert "class 1 has no name (2 are named)" in refused(read, {**files, "labels/1.txt": "1 0.5 0.5 0.1 0.1"})


@pytest.mark.parametrize("name", ["obj.names", "flowers.names", "flowers.yaml"])
def test_exports_of_darknet_and_others(name, read):
    names = "names: [cat, dog]" if name.endswith("yaml") else "cat\ndog\n"
    parsed = read(
        {
            "classes.txt": None,
            name: names,
            "obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/other.txt\nnames = data/obj.names\n",
            "train.txt": "data/obj_train_data/a/1.jpg\ndata/obj_train_data/a/2.PNG\n",
            "other.txt": "",
            "obj_train_data/a/1.txt": "1 0.5 0.5 0.1 0.1\n",
        }
    )
    assert [(image.name, len(image.shapes)) for image in parsed.images] == [("obj_train_data/a/1", 1)]


def test_files_that_are_no_labels_are_passed_over_and_told(read):
    parsed = read(
        {
            "1.txt": "1 0.5 0.5 0.1 0.1",
            "2.TXT": "",
            "list.txt": "a/1.jpg\n\na b/2.jpeg\n",
            "README.txt": "Exported\nwith a tool\n",
            "._1.txt": "\0\1",
            "__MACOSX/._1.txt": "\0\1",
            ".ipynb_checkpoints/1-checkpoint.txt": "1 0.5 0.5 0.1 0.1",
            "Thumbs.db": "\0",
            "desktop.ini": "[a]",
        }
    )
    assert sorted(image.name for image in parsed.images) == ["1", "2"]
    assert parsed.notes == (
        "1 file passed over: no line is a class and numbers: README.txt.",
        "1 file passed over: a list of images: list.txt.",
    )


def test_a_photo_that_is_called_like_a_list_keeps_its_labels(read):
    assert [image.name for image in read({"train.txt": "1 0.5 0.5 0.1 0.1"}).images] == ["train"]


def test_names_two_folders_above_the_labels(read, tmp_path):
    read({"labels/train/1.txt": "1 0.5 0.5 0.1 0.1"})
    for folder in ("labels", "labels/train"):
        assert read_annotations(tmp_path / "yolo" / folder, "yolo")[1].images[0].shapes[0][0] == "dog"


def test_binary_labels_give_one_message(read, tmp_path):
    read({})
    (tmp_path / "yolo" / "1.txt").write_bytes(bytes(range(256)))
    with pytest.raises(DatasetError, match=r"expected UTF-8.*1\.txt"):
        read({})
