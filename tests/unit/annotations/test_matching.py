import pytest
from annotated_flowers import samples

from evalharness.annotations.matching import match_images
from evalharness.annotations.parsed import ParsedImage
from evalharness.errors import DatasetError

ROWS = ("test/roses/1.jpg", "test/tulips/1.jpg", "test/roses/2.jpg")


def match(*names, rows=ROWS, is_stem=False):
    parsed = [ParsedImage(name, "somewhere", (), is_stem=is_stem) for name in names]
    matches = match_images(parsed, samples(rows))
    return {row: [image.name for image in found] for row, found in matches.by_row.items()}, matches.unmatched


@pytest.mark.parametrize(
    "name",
    [
        "test/roses/2.jpg",
        "roses/2.jpg",
        "2.jpg",
        "./test/roses/2.jpg",
        "test\\roses\\2.jpg",
        "/photos/test/roses/2.jpg",
        "photos/test/roses/2.jpg",
        "/elsewhere/test/roses/2.jpg",
    ],
)
def test_names_that_fit(name):
    assert match(name) == ({"test/roses/2.jpg": [name]}, ())


@pytest.mark.parametrize("name", ["9.jpg", "tulips/2.jpg", "s/2.jpg", "2", "2.png", "test/roses/2.jpg/x.jpg"])
def test_names_that_do_not_fit(name):
    assert match(name) == ({}, (name,))


def test_the_whole_path_of_a_row_beats_the_end_of_another():
    assert match("1.jpg", rows=("1.jpg", "roses/1.jpg")) == ({"1.jpg": ["1.jpg"]}, ())


def test_an_ambiguous_name_lists_the_files():
    with pytest.raises(DatasetError) as caught:
        match("1.jpg", "2.jpg")
    text = str(caught.value)
    assert "'1.jpg' (somewhere) fits 2 files: 'test/roses/1.jpg', 'test/tulips/1.jpg'" in text
    assert "'2.jpg'" not in text
    assert "Name the images in the annotations by the path of the CSV" in text


def test_several_names_for_one_file_are_an_error():
    with pytest.raises(DatasetError, match=r"'roses/2.jpg', '2.jpg' all fit 'test/roses/2.jpg'"):
        match("roses/2.jpg", "2.jpg")


def test_stems():
    assert match("roses/2", is_stem=True)[0] == {"test/roses/2.jpg": ["roses/2"]}
    assert match("roses/2.jpg", is_stem=True)[0] == {"test/roses/2.jpg": ["roses/2.jpg"]}
    assert match("images/test/roses/2", is_stem=True)[0] == {"test/roses/2.jpg": ["images/test/roses/2"]}
    with pytest.raises(DatasetError, match="fits 2 files"):
        match("2", rows=("2.jpg", "2.png"), is_stem=True)


def test_rows_that_share_a_file_share_its_annotations():
    first, second = samples(("a/1.jpg", "a/1.jpg"))
    rows = [first, type(second)("other", second.path, second.relative_path, "tulips", 3, "other")]
    matches = match_images([ParsedImage("1.jpg", "somewhere", ())], rows)
    assert set(matches.by_row) == {"a/1.jpg", "other"}


def test_accents_are_compared_composed():
    assert match("ro\u0301se.jpg", rows=("r\u00f3se.jpg",))[0] == {"r\u00f3se.jpg": ["ro\u0301se.jpg"]}
