import hashlib

import pytest

from evalharness.dataset.table import list_columns, read_table
from evalharness.errors import DatasetError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: str | bytes):
        path = tmp_path / "list.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path)

    return write_and_read


def test_cells_stay_text(read):
    table = read("path,label\nNA,null\n007, a \n,nan\n")
    assert [tuple(row.cells.values()) for row in table.rows] == [("NA", "null"), ("007", " a "), ("", "nan")]


def test_byte_order_mark_and_windows_line_ends(read):
    table = read(b"\xef\xbb\xbfpath,label\r\na.jpg,x\r\n")
    assert table.columns == ("path", "label")
    assert dict(table.rows[0].cells) == {"path": "a.jpg", "label": "x"}


def test_lines_count_blank_lines_and_quoted_line_breaks(read):
    table = read('path,label\n\na.jpg,"two\nlines"\n\nb.jpg,x\n')
    assert [row.line for row in table.rows] == [3, 6]
    assert table.rows[0].cells["label"] == "two\nlines"


def test_header_names_are_stripped(read):
    assert read("path, label\n").columns == ("path", "label")


def test_digest_is_of_the_bytes_on_disk(read):
    content = "\ufeffpath,label\nひまわり.jpg,向日葵\n".encode()
    assert read(content).sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["is empty"]),
        (b"\n\n", ["is empty"]),
        ("path,label\n向日葵.jpg,x\n".encode("cp932"), ["UTF-8", "offset 11", "Excel"]),
        (b'path,label\n"a.jpg,x\n', ["quotation mark"]),
        (b"path,path\na,b\n", ["distinct column names", "'path'"]),
        (b"path,label\na,b,c\nd,e\nf\n", ["2 cells", "line 2 has 3", "line 4 has 1"]),
    ],
)
def test_unusable_files(read, content, parts):
    with pytest.raises(DatasetError) as raised:
        read(content)
    for part in (*parts, "list.csv"):
        assert part in str(raised.value)


def test_many_ragged_lines_are_counted(read):
    with pytest.raises(DatasetError, match=r"line 21 has 1 and 5 more lines differ too"):
        read("path,label\n" + "a\n" * 25)


def test_missing_file(tmp_path):
    with pytest.raises(
        DatasetError, match=r"CSV is missing: expected a file, got no file at .*none\.csv \(dataset\.csv\)"
    ):
        read_table(tmp_path / "none.csv")


def test_folder_instead_of_file(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read: Is a directory"):
        read_table(tmp_path)


def test_a_header_of_very_many_columns_is_read_and_told_in_a_few(read):
    """Counting each name anew took the square of their number."""
    names = [f"c{number}" for number in range(100_000)]
    assert len(read(",".join(names).encode()).columns) == 100_000
    with pytest.raises(DatasetError) as caught:
        read(",".join(names + names).encode())
    assert "'c1', 'c10'" in str(caught.value)
    assert "and 99,980 more more than once" in str(caught.value)


def test_a_column_with_a_name_as_long_as_a_file_is_cut():
    assert list_columns(["a", "x" * 1000]) == f"a, {'x' * 200}..."
