"""What spreadsheets write: empty columns and rows, other encodings and delimiters, paths of another machine."""

import pytest

from evalharness.config import DatasetConfig
from evalharness.dataset import load_dataset
from evalharness.dataset.nearby_files import foreign_path
from evalharness.dataset.table import read_table
from evalharness.errors import DatasetError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: str | bytes):
        path = tmp_path / "list.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_table(path)

    return write_and_read


def cells_of(table):
    return [tuple(row.cells.values()) for row in table.rows]


@pytest.mark.parametrize(
    ("content", "remarks"),
    [
        ("path,label,,\na.png,x,,\nb.png,y,,\n", ["2 empty columns passed over"]),
        ("path,,label\na.png,,x\nb.png, ,y\n", ["1 empty column passed over"]),
        ("path,label\na.png,x,,\nb.png,y,\n", []),
        ("path,label\na.png,x" + "," * 50_000 + "\nb.png,y\n", []),
        ("path,label{0}\na.png,x{0}\nb.png,y{0}\n".format("," * 50_000), ["50000 empty columns passed over"]),
        ("path,label\na.png,x\nb.png,y\n,\n , \n", ["2 empty rows passed over (line 4, 5)"]),
        ("path,label\na.png,x\n,\nb.png,y\n", ["1 empty row passed over (line 3)"]),
        (",\n,\npath,label\na.png,x\nb.png,y\n", ["2 empty rows passed over (line 1, 2)"]),
        (
            "sep=;\n;\npath;label\na.png;x\nb.png;y\n",
            ["cells separated at semicolons", "1 empty row passed over (line 2)"],
        ),
        ("path,label\na.png,x\npath,label\nb.png,y\n", ["1 repeated header row passed over (line 3)"]),
        ("path,label\na.png,x\n\ufeffpath,label\nb.png,y\n", ["1 repeated header row passed over (line 3)"]),
        ("path,label,\na.png,x,\n,,\nb.png,y,\n", ["1 empty row passed over (line 3)", "1 empty column passed over"]),
    ],
)
def test_what_holds_nothing_is_passed_over_and_counted(read, content, remarks):
    table = read(content)
    assert table.columns == ("path", "label")
    assert cells_of(table) == [("a.png", "x"), ("b.png", "y")]
    assert list(table.remarks) == remarks


def test_columns_without_a_name_that_hold_something_are_kept_or_refused(read):
    assert read(",path,label\n0,a.png,x\n").columns == ("", "path", "label")
    with pytest.raises(DatasetError, match=r"'' more than once .*Name the columns that have cells but no name"):
        read("path,label,,\na.png,x,1,2\n")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(read, encoding):
    table = read("path,label\nçå.png,花\n".encode(encoding))
    assert cells_of(table) == [("çå.png", "花")]
    assert table.remarks == (() if encoding == "utf-8-sig" else (f"read as {encoding.upper()}",))


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("path,label\na.png,é\n".encode("cp1252"), ["0xe9", "line 2", "é in Windows-1252", "CSV UTF-8"]),
        ("path,label\na.png,x\n".encode("utf-16-le"), ["UTF-16 without a byte order mark", "CSV UTF-8"]),
        ("path,label\na.png,x\n".encode("utf-16-be"), ["UTF-16 without a byte order mark"]),
        (b"PK\x03\x04 and so on", ["a spreadsheet's own format", "CSV UTF-8"]),
        (b"\n,,\n , \n", ["is empty"]),
    ],
)
def test_the_cause_is_named(read, content, parts):
    with pytest.raises(DatasetError) as raised:
        read(content)
    for part in parts:
        assert part in str(raised.value)


SEPARATORS = [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")]


@pytest.mark.parametrize(("mark", "name"), SEPARATORS)
@pytest.mark.parametrize("hint", [False, True])
@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r\n")])
def test_another_separator_that_alone_gives_the_columns_is_used_and_told(read, mark, name, hint, encoding, end):
    lines = [f"path{mark}label{mark}note", f'a.png{mark}x{mark}red, "small"', f'"b{mark}.png"{mark}y{mark}1,5']
    table = read(end.join(([f"sep={mark}"] if hint else []) + lines).encode(encoding))
    assert table.columns == ("path", "label", "note")
    assert cells_of(table) == [("a.png", "x", 'red, "small"'), (f"b{mark}.png", "y", "1,5")]
    assert table.rows[0].line == 2 + hint
    assert table.remarks[-1] == f"cells separated at {name}"


@pytest.mark.parametrize("other", [";", "\t", "|"])
def test_the_columns_that_are_needed_tell_the_separator(photos, other):
    """Names and cells with another separator in them."""
    csv = photos / "list.csv"
    csv.write_text(f"path,label,kind{other}note\nPhotos/daisy/one.jpg,x,a{other}b\n")
    assert load(csv).classes == ("x",)
    csv.write_text(f"kind,note{other}path{other}label\na,b{other}Photos/daisy/one.jpg{other}y\n")
    assert load(csv).classes == ("y",)
    settings = {"path_columns": ("a,bild",), "label_column": "klasse", "root": photos / "Photos"}
    csv.write_text(f"a,bild{other}klasse\ndaisy/one.jpg{other}z\n")
    assert load(csv, **settings).classes == ("z",)


def test_a_separator_that_alone_separates_anything_is_used_to_tell_which_columns_are_missing(photos):
    csv = photos / "list.csv"
    csv.write_text("bild;klasse\nPhotos/daisy/one.jpg;x\n")
    with pytest.raises(DatasetError, match=r"expected path, label, got bild, klasse .*dataset\.path_columns"):
        load(csv)
    assert load(csv, path_columns=("bild",), label_column="klasse").classes == ("x",)


def test_columns_that_two_separators_give_are_refused_with_both(photos):
    csv = photos / "list.csv"
    csv.write_text("a,path,label,b;path;label;c\n")
    with pytest.raises(DatasetError) as raised:
        load(csv)
    told = str(raised.value)
    assert "can be read in two ways" in told
    assert "at commas a | path | label | b;path;label;c, or at semicolons a,path,label,b | path | label | c" in told


def test_rows_that_are_separated_in_another_way_than_the_header_are_refused(read):
    with pytest.raises(DatasetError, match=r"expected 2 cells in each.*line 3 has 1.*contain a separator"):
        read("path;label\na.png;x\nb.png,y\n")


def load(csv, **settings):
    return load_dataset(
        DatasetConfig(csv=csv, **settings), model_classes=None, runs_dir=csv.parent / "runs", limit=None, seed=1,
        num_workers=1,
    )  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    from PIL import Image

    (tmp_path / "Photos" / "daisy").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "Photos" / "daisy" / "one.jpg")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("Photos/daisy/one.JPG", "there is one.jpg, whose name differs in upper and lower case"),
        ("photos/Daisy/One.jpg", "there is Photos/daisy/one.jpg, whose name differs in upper and lower case"),
        ("Photos/daisy/one.jpeg", "there is one.jpg"),
        ("Photos/daisy/two.jpg", "no such file"),
        ("C:\\me\\Photos\\daisy\\one.jpg", "a path of a Windows machine; its end Photos/daisy/one.jpg is a file below"),
        ("d:/me/daisy/two.jpg", "a path of a Windows machine; no end of it is a file below dataset.root"),
        ("\\\\server\\share\\Photos\\daisy\\one.jpg", "its end Photos/daisy/one.jpg is a file below dataset.root"),
        ("/Users/nobody/x/Photos/daisy/one.jpg", "a path of another machine; its end Photos/daisy/one.jpg is a file"),
        ("https://example.org/one.jpg", "it is an address, and images are not fetched"),
        ("s3://bucket/one.jpg", "it is an address"),
    ],
)
def test_a_missing_photo_is_told_with_what_is_there(photos, path, told):
    csv = photos / "list.csv"
    csv.write_text(f"path,label\n{path},x\n", encoding="utf-8")
    with pytest.raises(DatasetError) as raised:
        load(csv)
    assert told in str(raised.value)
    if "machine" in told:
        assert "Write paths as they are below dataset.root" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("path, label\nPhotos/daisy/one.jpg, x\n", "spaces around 1 cell passed over (line 2)"),
        (" path ; label \n Photos/daisy/one.jpg ; x \n", "spaces around 2 cells passed over (line 2)"),
        ("path\tlabel\nPhotos/daisy/one.jpg \tx\u00a0\n", "spaces around 2 cells passed over (line 2)"),
        ('path, "label", "note"\n"Photos/daisy/one.jpg", "x", "a, b"\n', ""),
        ("path, label, note\nPhotos/daisy/one.jpg,x, kept as it is \n", ""),
    ],
)
def test_spaces_around_cells_are_passed_over_and_counted(photos, content, told, capsys):
    csv = photos / "list.csv"
    csv.write_text(content, encoding="utf-8")
    dataset = load(csv)
    assert [(sample.row_id, sample.label) for sample in dataset.samples] == [("Photos/daisy/one.jpg", "x")]
    assert dataset.classes == ("x",)
    printed = " ".join(capsys.readouterr().err.split())
    assert told in printed if told else "spaces" not in printed


def test_spaces_of_a_file_that_is_there_are_its_name(photos):
    folder = photos / "Photos" / "daisy"
    (folder / "one.jpg").rename(folder / " one.jpg")
    csv = photos / "list.csv"
    csv.write_text("folder,file,label\nPhotos/daisy, one.jpg, x\n", encoding="utf-8")
    (sample,) = load(csv, path_columns=("folder", "file")).samples
    assert (sample.row_id, sample.label) == ("Photos/daisy/ one.jpg", "x")


def test_two_files_that_differ_in_case_are_not_guessed_between(photos):
    (photos / "Photos" / "daisy" / "ONE.jpg").write_bytes(b"")
    csv = photos / "list.csv"
    csv.write_text("path,label\nPhotos/daisy/One.JPG,x\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"there is ONE\.jpg and one\.jpg"):
        load(csv)


def test_an_absolute_path_of_this_machine_is_its_own(tmp_path):
    assert foreign_path(str(tmp_path / "gone.jpg"), tmp_path) is None
    assert foreign_path("a/b.jpg", tmp_path) is None
