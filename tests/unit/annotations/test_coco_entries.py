"""What COCO files hold that other tools, and people who join files, have written."""

import json

import pytest
from annotated_flowers import DOG, NAMES, SIZE, dog_mask

from evalharness.annotations import read_annotations
from evalharness.annotations.shapes import decode, encode
from evalharness.errors import DatasetError

OUTLINE = [4, 2, 10, 2, 10, 7, 4, 7]


def coco(images=((1, NAMES[0]),), annotations=(), categories=((3, "dog"),)):
    return {
        "images": [{"id": found, "file_name": name, "height": SIZE[0], "width": SIZE[1]} for found, name in images],
        "categories": [{"id": found, "name": name} for found, name in categories],
        "annotations": list(annotations),
    }


def dog(annotation_id=1, image_id=1, category_id=3, **fields):
    fields = fields or {"bbox": list(DOG)}
    return {"id": annotation_id, "image_id": image_id, "category_id": category_id, **fields}


@pytest.fixture
def read(tmp_path):
    def read_content(content):
        path = tmp_path / "a.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_annotations(path)[1]

    return read_content


def refused(read, content):
    with pytest.raises(DatasetError) as caught:
        read(content)
    return str(caught.value)


def test_ids_that_start_again_are_refused_and_named(read):
    one, two = coco([(1, "a.jpg")], [dog()], [(3, "dog")]), coco([(1, "b.jpg")], [dog(bbox=[1, 1, 2, 2])], [(3, "cat")])
    text = refused(read, {key: one[key] + two[key] for key in one})
    assert text.startswith("ids that stand for more than one thing in ")
    assert "a.json (3):" in text
    assert "category id 3: 'dog' and 'cat'" in text
    assert "image id 1: 'a.jpg' and 'b.jpg'" in text
    assert "annotation id 1: entries 1 and 2 of the list" in text
    assert "two exports" in text


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_one_kind_of_repeated_ids_is_enough(key, read):
    content = coco([(1, "a.jpg"), (2, "b.jpg")], [dog(1), dog(2, 2)], [(3, "dog"), (4, "cat")])
    content[key][1]["id"] = content[key][0]["id"]
    assert "a.json (1):" in refused(read, content)


def test_a_list_that_stands_twice_is_refused(read):
    text = json.dumps(coco(annotations=[dog()]))
    assert "an object with the key 'images' twice" in refused(read, text[:-1] + ", " + text[1:])


def test_what_is_repeated_word_for_word_is_read_once(read):
    content = coco(annotations=[dog()])
    parsed = read({key: entries * 2 for key, entries in content.items()})
    assert parsed.images == read(content).images
    assert parsed.notes == (
        "1 image listed twice with the same id and file name, and read once: image 1.",
        "1 annotation repeated word for word and read once: annotation 1.",
    )


def test_the_same_id_with_another_size_is_refused(read):
    content = coco([(1, NAMES[0])] * 2)
    content["images"][1] |= {"height": 20, "width": 12}
    assert "(image 1 and image 1): its size is 20 x 12 and 12 x 20 pixels" in refused(read, content)


def test_annotations_need_no_ids(read):
    content = coco(annotations=[dog(None), dog(None, bbox=[0, 0, 1, 1])])
    del content["annotations"][0]["id"]
    assert len(read(content).images[0].shapes) == 2


NO_AREA = {
    "none": [],
    "an empty polygon": [[]],
    "several empty polygons": [[], []],
    "a point": [[5.0, 4.0]],
    "a box": [list(DOG)],
    "a flat box": list(DOG),
    "two points": [[4, 2, 10, 7]],
    "one point three times": [[5, 5, 5, 5, 5, 5]],
    "a line of four points": [[4, 2, 6, 4, 8, 6, 10, 8]],
    "five numbers": [[4, 2, 10, 7, 1]],
    "nothing in braces": {},
    "null": None,
    "null counts": {"size": list(SIZE), "counts": None},
    "no counts": {"size": list(SIZE), "counts": []},
    "empty counts": {"size": list(SIZE), "counts": ""},
    "no size": {"size": [0, 0], "counts": []},
    "a mask without a pixel": {"size": list(SIZE), "counts": [SIZE[0] * SIZE[1]]},
}


@pytest.mark.parametrize("segmentation", NO_AREA.values(), ids=NO_AREA)
def test_the_box_counts_beside_a_segmentation_that_is_no_area(segmentation, read):
    parsed = read(coco(annotations=[dog(segmentation=segmentation, bbox=list(DOG))]))
    assert (decode(encode(parsed.images[0].shapes[0][1], SIZE)) == dog_mask()).all()
    assert parsed.notes == (
        "1 annotation taken by the bbox, the segmentation beside it being empty or no area: annotation 1.",
    )


@pytest.mark.parametrize("segmentation", NO_AREA.values(), ids=NO_AREA)
def test_without_a_box_either_nothing_is_left(segmentation, read):
    parsed = read(coco(annotations=[dog(), dog(2, segmentation=segmentation)]))
    assert len(parsed.images[0].shapes) == 1
    assert parsed.notes == ("1 annotation left out: neither a segmentation that is an area nor a bbox: annotation 2.",)


POINTS = [[4, 2], [10, 2], [10, 7], [4, 7]]


@pytest.mark.parametrize("segmentation", [OUTLINE, [OUTLINE], [OUTLINE, []], POINTS, [POINTS]], ids=str)
def test_polygons_in_the_forms_that_tools_write(segmentation, read):
    shape = read(coco(annotations=[dog(segmentation=segmentation, bbox=list(DOG))])).images[0].shapes[0][1]
    assert (decode(encode(shape, SIZE)) == dog_mask()).all()


def test_unusual_forms_are_told_and_usual_ones_are_not(read):
    assert read(coco(annotations=[dog(segmentation=[OUTLINE], bbox=list(DOG))])).notes == ()
    assert read(coco(annotations=[dog()])).notes == ()
    assert "points [x, y]" in read(coco(annotations=[dog(segmentation=POINTS)])).notes[0]
    assert "those that are no area left out" in read(coco(annotations=[dog(segmentation=[OUTLINE, [1, 1]])])).notes[0]


@pytest.mark.parametrize("outline", [[x / 20 for x in OUTLINE], [x + 8 for x in OUTLINE]])
def test_a_box_that_lies_elsewhere_is_told(outline, read):
    notes = read(coco(annotations=[dog(segmentation=[outline], bbox=list(DOG))])).notes
    assert notes == ("1 annotation with a bbox that lies elsewhere than the segmentation, which counts: annotation 1.",)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"bbox": [1, 2, 3]}, "its bbox is [1, 2, 3], not four numbers"),
        ({"bbox": {"x": 1}}, "its bbox is {'x': 1}, not four numbers"),
        ({"bbox": [1, 2, "a", 4]}, "its bbox is [1, 2, 'a', 4], not numbers"),
        ({"segmentation": [1, [2], 3]}, "its segmentation"),
        ({"segmentation": [[1, 2], 3, [4, [5]]]}, "its segmentation"),
        ({"segmentation": [[[1, 2], [3]]]}, "its segmentation"),
        ({"segmentation": [[[[1]]]]}, "its segmentation"),
        ({"segmentation": [{"size": [2, 2], "counts": [4]}]}, "its segmentation"),
        ({"segmentation": {"size": [12], "counts": [1]}}, "its run lengths have the size [12]"),
        ({"segmentation": {"size": list(SIZE), "counts": 5}}, "its run lengths have the counts 5"),
        ({"segmentation": {"size": list(SIZE), "counts": [[1], 239]}}, "its run lengths are not whole numbers"),
        ({"segmentation": {"size": list(SIZE), "counts": [10**30, 240 - 10**30]}}, "negative"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, "its image [12, 20]"),
        ({"segmentation": [[10**400] * 6]}, "int too large"),
    ],
)
def test_shapes_that_mean_nothing_are_told(fields, told, read):
    text = refused(read, coco(annotations=[dog(**fields)]))
    assert "annotation 1: " in text
    assert told in text


def test_huge_masks_of_an_image_without_a_size_do_not_take_the_memory(read):
    content = coco(annotations=[dog(segmentation={"size": [10**9, 10**9], "counts": [10**18 - 5, 5]})])
    del content["images"][0]["height"]
    assert "its run lengths are for more pixels than a photo has" in refused(read, content)


def test_orphans_are_counted_and_the_rest_is_used(read):
    orphans = [dog(2, 99), dog(3, None), dog(4, 1, 9), dog(5, 1, None)]
    parsed = read(coco(annotations=[dog(), *orphans], categories=[(3, "dog"), (5, ""), (6, None)]))
    assert len(parsed.images[0].shapes) == 1
    image, category = parsed.notes
    assert image.startswith("2 annotations left out: the image_id is not among the images: annotation 2 (99), ")
    assert category.startswith(
        "2 annotations left out: the category_id has no name among the categories: annotation 4 (9)"
    )


def test_many_are_named_in_part(read):
    notes = read(coco(annotations=[dog(), *(dog(number, 99) for number in range(2, 9))])).notes
    assert notes[0].startswith("7 annotations left out")
    assert notes[0].endswith("annotation 6 (99) and 2 more.")


def test_a_file_of_orphans_only_is_refused(read):
    text = refused(read, coco(annotations=[dog(1, 8), dog(2, 9)]))
    assert text.startswith("none of the 2 annotations of ")
    assert "annotation 1 (8), annotation 2 (9)" in text


def test_images_without_a_name_are_counted(read):
    parsed = read(coco([(1, NAMES[0]), (2, None), (3, "")], [dog(), dog(2, 2)]))
    assert [image.name for image in parsed.images] == [NAMES[0]]
    assert parsed.notes[0] == "2 images without a file_name left out: image 2, image 3."
    assert "file_name is 5, not text" in refused(read, coco([(1, 5)]))


@pytest.mark.parametrize("name", [NAMES[0], f"./{NAMES[0]}", NAMES[0].replace("/", "\\")])
def test_a_photo_that_is_listed_twice_has_both_entries_annotations(name, read):
    parsed = read(coco([(1, NAMES[0]), (9, name)], [dog(), dog(2, 9, bbox=[0, 0, 1, 1])]))
    assert [(image.where, len(image.shapes)) for image in parsed.images] == [("image 1 and image 9", 2)]
    assert "1 photo listed more than once" in parsed.notes[0]
    assert f"{NAMES[0]!r} (image 1 and image 9)" in parsed.notes[0]


def test_a_photo_that_is_listed_twice_with_a_size_once_has_that_size(read):
    content = coco([(1, NAMES[0]), (9, NAMES[0])], [dog()])
    content["images"][0] |= {"height": None, "width": 0}
    assert read(content).images[0].size == SIZE


@pytest.mark.parametrize(("listed", "used"), [("1", 1), (1, "1"), (1, " 1 "), (1, "1.0"), ("001", 1), (7, "007")])
def test_ids_are_compared_as_what_they_name(listed, used, read):
    content = coco([(listed, NAMES[0])], [dog(1, used, used)], [(listed, "dog")])
    parsed = read(content)
    assert len(parsed.images[0].shapes) == 1
    assert f"({used!r} for {listed!r})" in parsed.notes[0]
    assert [note.split()[1] for note in parsed.notes] == ["image_id", "category_id"]


def test_a_float_is_the_same_number_and_a_truth_value_is_none(read):
    assert read(coco(annotations=[dog(1, 1.0, 3.0)])).notes == ()
    assert "image_id True is not among the images" in refused(read, coco(annotations=[dog(1, True)]))
    assert "its id is True, not a number or text" in refused(read, coco([(True, NAMES[0])]))
    assert "its id is nan, not a number or text" in refused(read, coco([(float("nan"), NAMES[0])]))


def test_ids_that_differ_only_by_type_and_name_two_things_are_refused(read):
    text = refused(read, coco([(1, "a.jpg"), ("1", "b.jpg")], [dog()], [(3, "dog"), ("3", "cat")]))
    assert "image ids 1 and '1', apart only by type: 'a.jpg' and 'b.jpg'" in text
    assert "category ids 3 and '3', apart only by type: 'dog' and 'cat'" in text


def test_texts_are_what_they_are_unless_a_number_could_be_several(read):
    content = coco([("1", "a.jpg"), ("01", "b.jpg")], [dog(1, "01")])
    assert [len(image.shapes) for image in read(content).images] == [0, 1]
    content["annotations"].append(dog(2, 1))
    assert "annotation 2: 1 may be '1' or '01'" in refused(read, content)


def test_names_of_categories_are_text(read):
    parsed = read(coco(annotations=[dog(), dog(2, 1, 4)], categories=[(3, " dog "), (4, 0)]))
    assert [category for category, _ in parsed.images[0].shapes] == ["dog", "0"]
    assert "its name is ['dog'], not text" in refused(read, coco(categories=[(3, ["dog"])]))


def test_one_name_of_two_categories_is_told(read):
    parsed = read(coco(annotations=[dog(), dog(2, 1, 4)], categories=[(3, "dog"), (4, "dog")]))
    assert parsed.notes == ("1 name of more than one category, which count as one: 'dog' (ids 3 and 4).",)


@pytest.mark.parametrize("side", [-5, 12.5, "12 px", True, [12], float("nan")])
def test_sizes_that_are_no_numbers_of_pixels(side, read):
    content = coco()
    content["images"][0]["height"] = side
    if side is True:
        assert read(content).images[0].size == (1, 20)
    else:
        assert "are not numbers of pixels" in refused(read, content)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"images": [', "\0\1\2", '{"images": [], "images": []}', ""]
)
def test_broken_json_gives_one_message(text, read):
    assert refused(read, text).startswith("the annotations cannot be read: expected a COCO file")


def test_binary_files_and_other_encodings(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(DatasetError, match="expected UTF-8"):
        read_annotations(path)
    path.write_text(json.dumps(coco(annotations=[dog()])), encoding="utf-16")
    assert len(read_annotations(path)[1].images[0].shapes) == 1
