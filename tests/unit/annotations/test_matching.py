import pytest
from annotated_flowers import ROOT, samples

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


@pytest.mark.parametrize(
    "name", ["9.jpg", "tulips/2.jpg", "s/2.jpg", "9.png", "test/roses/2.jpg/x.jpg", "1234abcd-9.jpg", "9_jpg.rf.a1.jpg"]
)
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


RENAMED = ("photos/roses/0001.jpg", "photos/tulips/0002.jpg", "photos/tulips/my photo.JPG", "photos/tulips/été.jpg")


def renamed(*names, rows=RENAMED, left_out=()):
    parsed = [ParsedImage(name, "somewhere", ()) for name in names]
    return match_images(parsed, samples(rows), [(path, ROOT / path) for path in left_out])


@pytest.mark.parametrize(
    ("name", "row", "differs"),
    [
        ("0001_jpg.rf.3f2a9c.jpg", 0, "Roboflow's ending .rf.<hash>"),
        ("images/0001_jpg.rf.3f2a9c", 0, "Roboflow's ending .rf.<hash>"),
        ("1a2b3c4d-0002.jpg", 1, "the hash that Label Studio puts before a name"),
        ("upload/7/1a2b3c4d-0002.jpg", 1, "the hash that Label Studio puts before a name"),
        ("/data/local-files/?d=photos/tulips/0002.jpg", 1, "an address"),
        ("/data/local-files/?d=photos%2Ftulips%2F0002.jpg", 1, "an address"),
        ("http://localhost:8080/data/photos/tulips/my%20photo.JPG", 2, "an address"),
        ("file:///photos/tulips/%C3%A9t%C3%A9.jpg", 3, "an address"),
        ("/data/upload/1/1a2b3c4d-my%20photo.JPG", 2, "an address and the hash that Label Studio puts before a name"),
        ("tulips/MY PHOTO.jpg", 2, "the case of letters"),
        ("0001", 0, "a missing ending"),
        ("roses/0001.png", 0, "another ending"),
        ("My Photo.png", 2, "another ending and the case of letters"),
        ("0001_png.rf.3f2a9c.jpg", 0, "Roboflow's ending .rf.<hash> and another ending"),
    ],
)
def test_what_tools_make_of_a_name_is_undone_and_told(name, row, differs):
    matches = renamed(name)
    assert list(matches.by_row) == [RENAMED[row]]
    assert matches.renamed == {differs: ((name, RENAMED[row]),)}


def test_a_name_that_fits_as_it_is_is_not_taken_for_a_renamed_one():
    rows = ("1a2b3c4d-1.jpg", "1.jpg", "1.png")
    matches = renamed("1a2b3c4d-1.jpg", "1.png", "1.jpg", rows=rows)
    assert set(matches.by_row) == set(rows)
    assert matches.renamed == {}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("1a2b3c4d-1.jpg", ("roses/1.jpg", "tulips/1.jpg")),
        ("1.png", ("1.jpg", "1.bmp")),
        ("A.jpg", ("roses/a.jpg", "tulips/a.jpg")),
        ("1_jpg.rf.ff.jpg", ("a/1.jpg", "b/1.jpg")),
    ],
)
def test_what_can_be_undone_in_two_ways_is_refused_with_both_named(name, rows):
    with pytest.raises(DatasetError) as caught:
        renamed(name, rows=rows)
    assert all(row in str(caught.value) for row in rows)


def test_two_exports_of_one_image_are_refused():
    with pytest.raises(DatasetError, match=r"'0001_jpg\.rf\.aa\.jpg', '0001_jpg\.rf\.bb\.jpg' all fit"):
        renamed("0001_jpg.rf.aa.jpg", "0001_jpg.rf.bb.jpg")


def test_what_a_name_means_does_not_depend_on_what_is_evaluated():
    with pytest.raises(DatasetError, match=r"fits 2 files: 'photos/daisy/0001\.jpg', 'photos/roses/0001\.jpg'"):
        renamed("0001.jpg", left_out=("photos/daisy/0001.jpg",))
    matches = renamed("0001.jpg", "daisy/0007.jpg", "0099.jpg", left_out=("photos/daisy/0007.jpg",))
    assert list(matches.by_row) == ["photos/roses/0001.jpg"]
    assert (matches.left_out, matches.unmatched) == (("daisy/0007.jpg",), ("0099.jpg",))


def test_two_names_of_one_image_must_mean_one_file():
    def match_both(name, also):
        return match_images([ParsedImage(name, "a.xml", (), also_named=also)], samples(ROWS))

    with pytest.raises(DatasetError, match=r"'roses/1.jpg', also named 'roses/2', \(a.xml\) fits 2 files"):
        match_both("roses/1.jpg", "roses/2")
    assert list(match_both("roses/2.jpg", "2").by_row) == ["test/roses/2.jpg"]
    assert list(match_both("nowhere.jpg", "roses/2").by_row) == ["test/roses/2.jpg"]
    assert list(match_both("roses/2.jpg", "nowhere").by_row) == ["test/roses/2.jpg"]


def test_many_images_are_matched_in_one_look_at_each():
    rows = tuple(f"photos/{number % 50}/{number}.jpg" for number in range(20_000))
    matches = renamed(*(f"{number}.png" for number in range(20_000)), rows=rows)
    assert len(matches.by_row) == 20_000
