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
        ("0001.rf.3f2a9c.jpg", 0, "Roboflow's ending .rf.<hash> and a missing ending"),
        ("0001_jpg_jpg.rf.3f2a9c.jpg", 0, "Roboflow's ending .rf.<hash>"),
        (
            "train/my-photo_JPG.rf.Xy-7_z.jpg",
            2,
            "Roboflow's ending .rf.<hash> and other characters in place of special ones",
        ),
        ("1a2b3c__0002.jpg", 1, "the hash that Label Studio puts before a name"),
        (
            "1a2b3c4d-my_photo.JPG",
            2,
            "the hash that Label Studio puts before a name and other characters in place of special ones",
        ),
        ("\\\\server\\share\\photos\\tulips\\My Photo.JPG", 2, "the case of letters"),
        ("/data/local-files/?d=photos\\tulips\\0002.jpg", 1, "an address"),
        ("/data/local-files/?d=photos/tulips/my+photo.JPG", 2, "an address"),
        ("s3://bucket/x/photos/tulips/my%20photo.JPG", 2, "an address"),
        ("https://host/photos/roses/0001.jpg?X-Amz-Date=1&d", 0, "an address"),
        ("file:///C:/Users/me/photos/roses/0001%2Ejpg", 0, "an address"),
        (" roses/ 0001.jpg ", 0, "spaces around the name"),
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
        ("img.jpg", ("IMG.jpg", "img.png")),
        ("1a2b3c4d-2.jpg", ("2.jpg", "1A2B3C4D-2.jpg")),
        ("IMG_JPG_jpg.rf.ff.jpg", ("IMG.JPG", "IMG_JPG.jpg")),
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


CSV_ROWS = ("photos/roses/1.jpg", "photos/roses/2.jpg", "photos/tulips/1.jpg")


def match_both(name, also, *, is_stem=False):
    return match_images([ParsedImage(name, "a.xml", (), is_stem=is_stem, also_named=also)], samples(CSV_ROWS))


def test_two_names_of_one_image_must_mean_one_file():
    with pytest.raises(DatasetError) as caught:
        match_both("roses/1.jpg", "roses/2")
    assert "'roses/1.jpg', the name in a.xml, fits 'photos/roses/1.jpg'" in str(caught.value)
    assert "the file's own name fits 'photos/roses/2.jpg'" in str(caught.value)
    with pytest.raises(DatasetError, match=r"fits 'photos/roses/2\.jpg', and the file's own name fits 'photos/roses/1"):
        match_both("2.jpg", "1")


@pytest.mark.parametrize(
    ("name", "also", "row", "differs"),
    [
        ("roses/2.jpg", "2", 1, None),
        ("roses/2.jpg", "nowhere", 1, None),
        ("roses/1.jpg", "1", 0, None),
        ("2.jpg", "2_jpg.rf.0a1b", 1, None),
        ("nowhere.jpg", "roses/2", 1, "a name that no row has, by the name of their annotation file"),
        ("1.jpg", "tulips/1", 2, "a name that fits several rows, by the name of their annotation file"),
        (
            "1.jpg",
            "Annotations/photos/tulips/1",
            2,
            "a name that fits several rows, by the name of their annotation file",
        ),
    ],
)
def test_two_names_of_one_image_that_agree(name, also, row, differs):
    matches = match_both(name, also)
    assert list(matches.by_row) == [CSV_ROWS[row]]
    assert matches.renamed == ({differs: ((name, CSV_ROWS[row]),)} if differs else {})


def test_two_names_that_fit_the_same_several_rows_do_not_tell():
    with pytest.raises(DatasetError, match=r"'1' .* fits 2 files: 'photos/roses/1.jpg', 'photos/tulips/1.jpg'"):
        match_both("1", "x/1", is_stem=True)


def test_many_images_are_matched_in_one_look_at_each():
    rows = tuple(f"photos/{number % 50}/{number}.jpg" for number in range(20_000))
    matches = renamed(*(f"{number}.png" for number in range(20_000)), rows=rows)
    assert len(matches.by_row) == 20_000


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("scan.2021.0001", ("scan.2021.jpg",)),  # a number behind a dot is no ending
        ("20240131-0001.jpg", ("0001.jpg",)),  # a date is no hash
        ("/data/local-files/?d=train/0001.jpg", ("val/0001.jpg",)),  # there, folders are the user's
        ("train/my%20photo.jpg", ("val/my photo.jpg",)),
        ("face_mask.jpg", ("face.jpg",)),
        ("a-1.jpg", ("a_1.jpg",)),
    ],
)
def test_what_may_be_another_photo_is_not_taken_for_it(name, rows):
    matches = renamed(name, rows=rows)
    assert matches.by_row == {}
    assert matches.unmatched == (name,)


def test_a_name_in_its_own_case_of_ending_beats_another_ending():
    assert list(renamed("img.JPG", rows=("img.jpg", "img.png")).by_row) == ["img.jpg"]


def test_the_annotation_file_of_an_image_may_end_in_mask():
    matches = match_images([ParsedImage("cat_mask", "cat_mask.png", (), is_stem=True)], samples(("a/cat.jpg",)))
    assert matches.renamed == {"an ending such as _mask": (("cat_mask", "a/cat.jpg"),)}


def test_a_label_file_lacks_the_ending_of_its_image_and_that_is_not_told():
    parsed = [ParsedImage("1a2b3c4d-0001", "1a2b3c4d-0001.txt", (), is_stem=True)]
    assert list(match_images(parsed, samples(RENAMED)).renamed) == ["the hash that Label Studio puts before a name"]


def test_folders_in_front_of_a_bare_file_name_are_told():
    matches = renamed("roses/0001.jpg", rows=("0001.jpg",))
    assert matches.renamed == {"other folders in front": (("roses/0001.jpg", "0001.jpg"),)}
    assert renamed("x/roses/0001.jpg", rows=("roses/0001.jpg",)).renamed == {}


def test_parts_of_paths_that_say_nothing():
    rows = ("photos/roses/0001.jpg",)
    for name in ("../photos/roses/0001.jpg", "photos/tulips/../roses//0001.jpg", ".\\roses\\0001.jpg"):
        assert list(renamed(name, rows=rows).by_row) == list(rows)
    same = renamed("roses/0001.jpg", "./roses/0001.jpg", rows=rows)
    assert len(same.by_row[rows[0]]) == 2


def test_copies_that_roboflow_augments_are_refused_with_the_reason():
    with pytest.raises(DatasetError, match="Roboflow writes several changed copies"):
        renamed("0001_jpg.rf.aa.jpg", "0001_jpg.rf.bb.jpg")


def test_unmatched_names_come_with_what_they_look_like():
    matches = renamed("train/0001.jpg", "0077_jpg.rf.aa.jpg", "nothing.jpg")
    assert matches.unmatched == ("train/0001.jpg", "0077_jpg.rf.aa.jpg", "nothing.jpg")
    elsewhere, tools = matches.hints
    assert "have the file name of a row in another folder: train/0001.jpg (photos/roses/0001.jpg)" in elsewhere
    assert "0077_jpg.rf.aa.jpg (0077.jpg without Roboflow's ending .rf.<hash>)" in tools
