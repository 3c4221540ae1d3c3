"""Boxes as spreadsheets write them."""

import pytest

from evalharness.annotations import read_annotations
from evalharness.annotations.shapes import Box
from evalharness.errors import DatasetError

HEADER = "path,category,x,y,width,height"
ROW = "a/1.jpg,dog,4,2,6,5"


@pytest.fixture
def read(tmp_path):
    def read_text(*lines, encoding="utf-8", end="\n"):
        (tmp_path / "boxes.csv").write_bytes(end.join([*lines, ""]).encode(encoding))
        return read_annotations(tmp_path / "boxes.csv")[1]

    return read_text


def refused(read, *lines):
    with pytest.raises(DatasetError) as caught:
        read(*lines)
    return str(caught.value)


def is_dog(parsed):
    (image,) = parsed.images
    return (image.name, image.shapes) == ("a/1.jpg", (("dog", Box(4, 2, 6, 5)),))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (HEADER.replace(",", ", "), ROW.replace(",", ", ")),
        (HEADER.title(), ROW),
        (HEADER.replace(",", " ,"), ROW.replace(",", "\t,")),
        (HEADER.replace(",", " , "), ROW.replace(",", "\u00a0,\u00a0")),
        (HEADER.replace(",", ", "), '"a/1.jpg", "dog", "4", "2", "6", "5"'),
        ('"' + HEADER.replace(",", '","') + '"', '" a/1.jpg "," dog "," 4 "," 2 "," 6 "," 5 "'),
    ],
)
def test_spaces_around_names_and_cells_do_not_count(header, row, read):
    parsed = read(header, row)
    assert is_dog(parsed)
    assert parsed.notes == ()


@pytest.mark.parametrize("separator", [";", "\t", "|", "; "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_other_separators_are_used_and_told(separator, encoding, end, read):
    parsed = read(HEADER.replace(",", separator), ROW.replace(",", separator), encoding=encoding, end=end)
    assert is_dog(parsed)
    told = {";": "semicolons", "\t": "tabs", "|": "bars"}[separator.strip(" ")]
    assert parsed.notes[0].endswith(f"boxes.csv were separated at {told}.")


def test_a_separator_that_gives_no_columns_is_not_used(read):
    assert "expected the columns path,category,x" in refused(read, HEADER.replace(",", ":"), ROW)
    assert "separate the cells by commas" in refused(read, HEADER.replace(",", " "), ROW)


def test_columns_that_two_separators_give_are_refused_with_both(read):
    told = refused(read, f"{HEADER},note;{HEADER.replace(',', ';')}", ROW)
    assert "can be read in two ways" in told
    assert "at commas path | category" in told
    assert "at semicolons path,category" in told


def test_the_hint_for_excel_is_no_header(read):
    assert is_dog(read("sep=;", HEADER.replace(",", ";"), ROW.replace(",", ";")))
    assert is_dog(read("sep=,", HEADER, ROW))


def test_empty_rows_and_columns_of_spreadsheets_are_passed_over(read):
    parsed = read(HEADER + ",,", ROW + ",,", ",,,,,,,", " , ", "", "a/2.jpg,,,,,,,,")
    assert [(image.name, len(image.shapes)) for image in parsed.images] == [("a/1.jpg", 1), ("a/2.jpg", 0)]
    assert parsed.notes == ("2 rows without any content passed over: line 3, line 4.",)


def test_columns_that_stand_twice_are_refused(read):
    assert "got category more than once" in refused(read, HEADER + ", category", ROW + ",cat")
    assert is_dog(read(HEADER + ",note,note", ROW + ",1,2"))


def test_decimal_commas_are_read_where_they_can_be_nothing_else(read):
    parsed = read("path;category;x;y;width;height", "a/1.jpg;dog;4,5;2,125;6;5,0")
    assert parsed.images[0].shapes[0][1] == Box(4.5, 2.125, 6, 5)
    assert "3 numbers with a comma, read as a decimal comma: 4,5 (line 2, x)" in parsed.notes[1]
    assert read(HEADER, 'a/1.jpg,dog,"4,5",2,6,5').images[0].shapes[0][1].x == 4.5
    assert read(HEADER, 'a/1.jpg,dog,"0,125",2,6,5').images[0].shapes[0][1].x == 0.125


def test_commas_that_may_be_between_thousands_are_refused(read):
    text = refused(read, "path;category;x;y;width;height", "a/1.jpg;dog;1,234;2;6;5")
    assert "1,234 (line 2, x)" in text
    assert "a decimal comma, or one between thousands" in text


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("nan,2,6,5", "x is 'nan', which is not finite"),
        ("4,1e999,6,5", "y is '1e999', which is not finite"),
        ("4,2,-6,5", "its box has a negative side (-6 x 5)"),
        ("4,2,6,1.000,5", "it has 7 cells, the header 6"),
        ("4,2,6,", "height is '', not a number"),
    ],
)
def test_numbers_that_mean_nothing_tell_their_line(cells, told, read):
    assert f"line 3: {told}" in refused(read, HEADER, ROW, f"a/1.jpg,dog,{cells}")


def test_sizes_may_be_written_as_decimals(read):
    header, row = HEADER + ",image_width,image_height", ROW + ",20.0,12"
    assert read(header, row).images[0].size == (12, 20)
    for side in ("20.5", "wide", "inf", "nan"):
        assert "image_width or image_height is not a whole number" in refused(read, header, f"{ROW},{side},12")


def test_binary_files_give_one_message(tmp_path):
    (tmp_path / "boxes.csv").write_bytes(bytes(range(256)))
    with pytest.raises(DatasetError, match=r"expected UTF-8.*boxes\.csv"):
        read_annotations(tmp_path / "boxes.csv")


def test_a_header_as_long_as_a_file_is_cut(read):
    assert len(refused(read, "x" * 100_000)) < 2_000
