"""What Pascal VOC files of other tools hold."""

import pytest

from evalharness.annotations import read_annotations
from evalharness.errors import DatasetError

BOX = "<bndbox><xmin>5</xmin><ymin>3</ymin><xmax>10</xmax><ymax>7</ymax></bndbox>"


@pytest.fixture
def read(tmp_path):
    def read_files(**files):
        for name, text in files.items():
            path = tmp_path / "voc" / f"{name.replace('__', '/')}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return read_annotations(tmp_path / "voc", "voc")[1]

    return read_files


def annotation(filename, objects=f"<object><name>dog</name>{BOX}</object>"):
    return f"<annotation><filename>{filename}</filename>{objects}</annotation>"


@pytest.mark.parametrize(
    ("tag", "also_named"),
    [("1.jpg", "a/1"), ("2.jpg", "a/1"), ("a/1.jpg", None), ("a/1", None), ("", None), ("b/1.PNG", "a/1")],
)
def test_the_name_of_the_file_is_handed_on_where_the_tag_differs(tag, also_named, read):
    image = read(**{"a__1.xml": annotation(tag)}).images[0]
    assert (image.name, image.also_named) == (tag or "a/1", also_named)


@pytest.mark.parametrize(
    ("tag", "is_stem"),
    [("scan.2021.0000", True), ("v1.5", True), ("0000", True), ("scan.2021.0000.jpg", False), ("0.TIFF", False)],
)
def test_only_endings_of_photos_are_endings(tag, is_stem, read):
    image = read(**{"a.xml": annotation(tag)}).images[0]
    assert (image.name, image.is_stem) == (tag, is_stem)


def test_a_file_with_dots_in_its_name_is_not_cut_at_the_first(read):
    image = read(**{"scan.2021.0000.xml": annotation("")}).images[0]
    assert (image.name, image.is_stem) == ("scan.2021.0000", True)
    assert read(**{"scan.2021.0000.xml": annotation("scan.2021.0000.jpg")}).images[0].also_named is None


def test_objects_without_a_box_are_counted_and_the_rest_is_used(read):
    turned = "<object><name>cat</name><robndbox><cx>5</cx></robndbox></object>"
    parsed = read(**{"a.xml": annotation("1.jpg", turned + f"<object><name>dog</name>{BOX}</object>")})
    assert [category for category, _ in parsed.images[0].shapes] == ["dog"]
    assert parsed.notes == ("1 object left out: no bndbox: 'cat' (a.xml).",)


def test_files_of_systems_are_passed_over(read):
    files = {"._1.xml": "\0", ".ipynb_checkpoints/1.xml": "\0", "1.XML": annotation("1.jpg")}
    (image,) = read(**{name.replace("/", "__"): text for name, text in files.items()}).images
    assert image.name == "1.jpg"


@pytest.mark.parametrize(
    "text",
    [
        "", "\0\1\2", "<annotation>", "<annotation><object>", "{}", "<a/><b/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><annotation>&a;</annotation>', "<annotation>&a;</annotation>",
    ],
)  # fmt: skip
def test_broken_xml_gives_one_message(text, read):
    with pytest.raises(DatasetError, match=r"1 of 1 files in .*\n  1\.xml: "):
        read(**{"1.xml": text})


def test_deep_nesting_is_no_crash(read):
    assert read(**{"1.xml": annotation("1.jpg", "<a>" * 200_000 + "</a>" * 200_000)}).images[0].shapes == ()


@pytest.mark.parametrize("number", ["", "x", "1,5", "0x10", "9" * 5000 + "x"])
def test_corners_that_are_no_numbers(number, read):
    with pytest.raises(DatasetError, match=r"1\.xml: the object 'dog' has no number in bndbox/xmin"):
        read(**{"1.xml": annotation("1.jpg", f"<object><name>dog</name>{BOX.replace('5', number)}</object>")})
