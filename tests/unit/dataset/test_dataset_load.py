import hashlib
import unicodedata

import pytest
from PIL import Image

from evalharness.errors import ConfigError, DatasetError

NOTEBOOK_HEADER = ("base_path", "type_dir", "file_name")


def labels(dataset):
    return [sample.label for sample in dataset.samples]


class TestPlainLayout:
    def test_fields_of_the_dataset(self, bench):
        files = [bench.photo(f"photos/{name}.png", seed=seed) for seed, name in enumerate("ba")]
        csv = bench.csv(("photos/b.png", "rose"), ("photos/a.png", "daisy"))
        dataset = bench.load(csv)
        assert (dataset.name, dataset.csv, dataset.root) == ("list", csv, bench.folder)
        assert dataset.classes == ("daisy", "rose")
        assert [sample.row_id for sample in dataset.samples] == ["photos/b.png", "photos/a.png"]
        assert [sample.path for sample in dataset.samples] == files
        assert [sample.csv_line for sample in dataset.samples] == [2, 3]
        assert [sample.group for sample in dataset.samples] == ["photos/b.png", "photos/a.png"]
        assert dataset.csv_sha256 == hashlib.sha256(csv.read_bytes()).hexdigest()
        assert (dataset.skipped, dataset.num_excluded, dataset.num_rotated) == ((), 0, 0)

    def test_digest_formula(self, bench):
        first, second = bench.photo("b.png", seed=1), bench.photo("a.png", seed=2)
        dataset = bench.load(bench.csv(("b.png", "x"), ("a.png", "y")))
        shas = [hashlib.sha256(file.read_bytes()).hexdigest() for file in (first, second)]
        expected = hashlib.sha256(f"b.png\0x\0{shas[0]}\na.png\0y\0{shas[1]}\n".encode()).hexdigest()
        assert dataset.digest == expected
        assert dataset.images["a.png"].sha256 == shas[1]

    def test_digest_changes_with_labels_order_and_pixels(self, bench):
        bench.photo("a.png", seed=1)
        bench.photo("b.png", seed=2)
        digests = {
            bench.load(bench.csv(*rows)).digest
            for rows in (
                [("a.png", "x"), ("b.png", "y")],
                [("b.png", "y"), ("a.png", "x")],
                [("a.png", "y"), ("b.png", "y")],
            )
        }
        bench.photo("a.png", seed=3)
        digests.add(bench.load(bench.csv(("a.png", "x"), ("b.png", "y"))).digest)
        assert len(digests) == 4

    def test_japanese_names_and_classes(self, bench):
        bench.photo("写真/向日葵 1.png")
        bench.photo("写真/バラ.png")
        dataset = bench.load(bench.csv(("写真/向日葵 1.png", "ひまわり"), ("写真/バラ.png", "バラ")))
        assert dataset.classes == ("ひまわり", "バラ")
        assert dataset.samples[1].relative_path == "写真/バラ.png"

    def test_labels_match_in_any_form_of_unicode(self, bench):
        decomposed = unicodedata.normalize("NFD", "バラ")
        assert decomposed != "バラ"
        bench.photo("a.png")
        bench.photo("b.png")
        csv = bench.csv(("a.png", decomposed), ("b.png", "バラ"))
        assert bench.load(csv).classes == ("バラ",)
        assert labels(bench.load(csv, classes=("バラ", "菊"))) == ["バラ", "バラ"]
        assert labels(bench.load(csv, classes=(decomposed, "菊"))) == [decomposed, decomposed]

    def test_na_is_a_class(self, bench):
        bench.photo("null.png")
        assert labels(bench.load(bench.csv(("null.png", "NA")))) == ["NA"]

    def test_named_columns(self, bench):
        bench.photo("d/a.png")
        bench.photo("d/b.png")
        csv = bench.csv(
            ("d", "a.png", "x", "7", "plant1"),
            ("d", "b.png", "y", "8", ""),
            header=("folder", "file", "kind", "key", "plant"),
        )
        dataset = bench.load(
            csv, path_columns=("folder", "file"), label_column="kind", id_column="key", group="plant", name="parts"
        )
        assert [(s.row_id, s.relative_path, s.group) for s in dataset.samples] == [
            ("7", "d/a.png", "plant1"),
            ("8", "d/b.png", "8"),
        ]
        assert dataset.name == "parts"
        assert set(dataset.images) == {"7", "8"}

    def test_two_rows_may_share_a_file(self, bench, count_reads):
        bench.photo("a.png")
        csv = bench.csv(("a.png", "x", "1"), ("a.png", "x", "2"), header=("path", "label", "key"))
        dataset = bench.load(csv, id_column="key")
        assert dataset.images["1"] == dataset.images["2"]
        assert count_reads() == ["a.png"]

    def test_rotated_images_are_counted(self, bench):
        exif = Image.Exif()
        exif[0x0112] = 6
        bench.photo("a.jpg", exif=exif)
        bench.photo("b.jpg")
        dataset = bench.load(bench.csv(("a.jpg", "x"), ("b.jpg", "x")))
        assert dataset.num_rotated == 1
        assert dataset.images["a.jpg"].exif_orientation == 6
        assert (dataset.images["a.jpg"].width, dataset.images["a.jpg"].height) == (24, 16)


class TestNotebookLayout:
    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
    def test_recognised_by_its_columns_in_any_order(self, bench, order):
        bench.photo("test/5_roses_dir/a.png")
        bench.photo("test/daisy/b.png")
        rows = [("test", "5_roses_dir", "a.png"), ("test", "daisy", "b.png"), ("test", "daisy", "c.webp")]
        csv = bench.csv(*[[row[i] for i in order] for row in rows], header=[NOTEBOOK_HEADER[i] for i in order])
        dataset = bench.load(csv)
        assert dataset.classes == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
        assert [s.row_id for s in dataset.samples] == ["test/5_roses_dir/a.png", "test/daisy/b.png"]
        assert labels(dataset) == ["roses", "daisy"]
        assert dataset.num_excluded == 1
        assert dataset.skipped == ()

    def test_config_takes_precedence(self, bench):
        bench.photo("test/lily/a.webp")
        csv = bench.csv(("test", "lily", "a.webp"), header=NOTEBOOK_HEADER)
        assert labels(bench.load(csv, classes=("lily", "iris"), exclude=())) == ["lily"]

    def test_model_classes_before_the_flowers(self, bench):
        bench.photo("test/lily/a.png")
        csv = bench.csv(("test", "lily", "a.png"), header=NOTEBOOK_HEADER)
        assert bench.load(csv, model_classes=("lily", "iris")).classes == ("lily", "iris")

    def test_one_more_column_is_not_the_notebook(self, bench):
        csv = bench.csv(("test", "lily", "a.png", "1"), header=(*NOTEBOOK_HEADER, "note"))
        with pytest.raises(DatasetError, match=r"expected path, label, got base_path, type_dir, file_name, note"):
            bench.load(csv)

    def test_an_empty_base_path_is_left_out(self, bench):
        bench.photo("daisy/a.png")
        dataset = bench.load(bench.csv(("", "daisy", "a.png"), header=NOTEBOOK_HEADER))
        assert dataset.samples[0].row_id == "daisy/a.png"

    def test_an_ambiguous_and_an_unknown_directory(self, bench):
        csv = bench.csv(("t", "roses_tulips", "a.png"), ("t", "cat", "b.png"), header=NOTEBOOK_HEADER)
        with pytest.raises(DatasetError) as raised:
            bench.load(csv)
        message = str(raised.value)
        assert (
            "line 2: 't/roses_tulips/a.png': the label 'roses_tulips' contains more than one class: roses, tulips"
            in message
        )
        assert "line 3: 't/cat/b.png': the label 'cat' contains none of the classes daisy, dandelion" in message


class TestColumns:
    def test_all_missing_columns_are_named(self, bench):
        csv = bench.csv(("a", "b"), header=("file", "kind"))
        with pytest.raises(DatasetError) as raised:
            bench.load(csv, id_column="key", group="plant")
        message = str(raised.value)
        assert "expected path, label, key, plant, got file, kind" in message
        for key in (
            "dataset.path_columns: path",
            "dataset.label_column: label",
            "dataset.id_column: key",
            "dataset.group: plant",
        ):
            assert key in message

    def test_header_only(self, bench):
        with pytest.raises(DatasetError, match=r"has no rows: got only a header \(.*list\.csv, dataset\.csv\)"):
            bench.load(bench.csv())

    def test_everything_excluded(self, bench):
        with pytest.raises(DatasetError, match=r"all 1 rows excluded by dataset\.exclude"):
            bench.load(bench.csv(("a.webp", "x")), exclude=("webp",))

    def test_no_path_columns(self, bench):
        with pytest.raises(ConfigError, match=r"dataset\.path_columns"):
            bench.load(bench.csv(("a", "x")), path_columns=())


class TestClasses:
    def test_order_of_the_config_is_kept(self, bench):
        bench.photo("a.png")
        assert bench.load(bench.csv(("a.png", "a")), classes=("z", "a")).classes == ("z", "a")

    def test_default_is_the_models(self, bench):
        bench.photo("a.png")
        assert bench.load(bench.csv(("a.png", "a")), model_classes=("z", "a")).classes == ("z", "a")

    def test_a_subset_of_the_models(self, bench):
        bench.photo("a.png")
        csv = bench.csv(("a.png", "a"))
        assert bench.load(csv, classes=("a", "b"), model_classes=("c", "b", "a")).classes == ("a", "b")

    def test_classes_that_the_model_lacks(self, bench):
        with pytest.raises(ConfigError) as raised:
            bench.load(bench.csv(("a.png", "a")), classes=("a", "b", "c"), model_classes=("a", "x"))
        message = str(raised.value)
        assert "classes of the model (a, x)" in message
        assert "got a, b, c, of which the model lacks b, c" in message

    def test_substring_needs_classes(self, bench):
        with pytest.raises(ConfigError, match=r"dataset\.classes: expected class names, since .*substring"):
            bench.load(bench.csv(("a.png", "a")), label_match="substring")

    @pytest.mark.parametrize("classes", [(), ("a", "")])
    def test_empty_class_names(self, bench, classes):
        with pytest.raises(ConfigError, match="not empty"):
            bench.load(bench.csv(("a.png", "a")), classes=classes)


class TestPaths:
    def test_root(self, bench):
        bench.photo("photos/a.png")
        csv = bench.csv(("a.png", "x"))
        assert bench.load(csv, root=bench.folder / "photos").samples[0].path == bench.folder / "photos/a.png"

    def test_relative_csv_and_root(self, bench, monkeypatch):
        bench.photo("photos/a.png")
        bench.csv(("a.png", "x"))
        monkeypatch.chdir(bench.folder)
        dataset = bench.load("list.csv", root="photos")
        assert dataset.samples[0].path == bench.folder / "photos/a.png"

    def test_absolute_path_needs_the_whole_file_system(self, bench):
        photo = bench.photo("a.png")
        csv = bench.csv((str(photo), "x"))
        with pytest.raises(DatasetError, match=r"the path is absolute, which needs dataset\.root=/"):
            bench.load(csv)
        dataset = bench.load(csv, root="/")
        assert (dataset.samples[0].path, dataset.samples[0].row_id) == (photo, str(photo))

    @pytest.mark.parametrize("path", ["../secret.png", "photos/../../secret.png"])
    def test_paths_that_leave_the_root(self, bench, path):
        bench.photo("secret.png")
        csv = bench.csv((path, "x"))
        with pytest.raises(DatasetError, match=r"path outside the root \(1\)") as raised:
            bench.load(csv, root=bench.photo("photos/a.png").parent)
        assert f"{path!r}: the path leaves the dataset's root {bench.folder / 'photos'}" in str(raised.value)

    def test_dots_inside_the_root(self, bench):
        bench.photo("a.png")
        bench.photo("d/b.png")
        dataset = bench.load(bench.csv(("d/../a.png", "x"), ("./d/b.png", "x")))
        assert [sample.path for sample in dataset.samples] == [bench.folder / "a.png", bench.folder / "d/b.png"]
        assert dataset.samples[0].row_id == "d/../a.png"

    def test_links_out_of_the_root_are_the_users_own(self, bench):
        photo = bench.photo("elsewhere/a.png")
        (bench.folder / "photos").mkdir()
        (bench.folder / "photos/link.png").symlink_to(photo)
        dataset = bench.load(bench.csv(("link.png", "x")), root=bench.folder / "photos")
        assert dataset.samples[0].path == bench.folder / "photos/link.png"

    def test_missing_root(self, bench):
        with pytest.raises(DatasetError, match=r"no folder at .*nowhere \(dataset\.root\)"):
            bench.load(bench.csv(("a.png", "x")), root=bench.folder / "nowhere")

    def test_empty_and_unusable_paths(self, bench):
        csv = bench.csv(("", "x"), ("a\0.png", "x"))
        with pytest.raises(DatasetError, match=r"empty path \(1\), unusable path \(1\)"):
            bench.load(csv)


class TestBadRows:
    def test_every_fault_in_one_message(self, bench):
        bench.photo("good.png")
        bench.photo("photo.jpg", size=(200, 200))
        truncated = bench.folder / "truncated.jpg"
        truncated.write_bytes((bench.folder / "photo.jpg").read_bytes()[:4000])
        csv = bench.csv(
            ("good.png", "x"),
            ("truncated.jpg", "x"),
            ("gone.png", "y"),
            ("good.png", "z"),
            ("../a.png", "x"),
            ("b.png", ""),
        )
        with pytest.raises(DatasetError) as raised:
            bench.load(csv, classes=("x", "y"))
        lines = str(raised.value).splitlines()
        assert lines[0].startswith(f"6 of 6 rows of {csv} cannot be evaluated: repeated row id (2), ")
        listed = {line.split(":")[0].strip(): line for line in lines[1:-1]}
        assert set(listed) == {"line 2", "line 3", "line 4", "line 5", "line 6", "line 7"}
        assert "also that of line 5, with another path or label" in listed["line 2"]
        assert "also that of line 2, with another path or label" in listed["line 5"]
        assert "cannot be decoded completely: image file is truncated" in listed["line 3"]
        assert "no such file" in listed["line 4"]
        assert "leaves the dataset's root" in listed["line 6"]
        assert "the label is empty (column 'label')" in listed["line 7"]

    def test_skip_records_them(self, bench):
        for name in ("a.png", "b.png"):
            bench.photo(name)
        csv = bench.csv(("a.png", "x"), ("gone.png", "x"), ("b.png", "typo"), ("b.png", "y"), ("c.png", "typo"))
        dataset = bench.load(csv, classes=("x", "y"), on_error="skip")
        assert [s.row_id for s in dataset.samples] == ["a.png"]
        assert [(row.csv_line, row.row_id) for row in dataset.skipped] == [
            (3, "gone.png"),
            (4, "b.png"),
            (5, "b.png"),
            (6, "c.png"),
        ]
        assert dataset.skipped[0].reason == "no such file"
        assert dataset.skipped[3].reason == "the label 'typo' is none of the classes x, y"
        assert set(dataset.images) == {"a.png"}

    def test_a_repeated_row_counts_once(self, bench):
        bench.photo("a.png")
        csv = bench.csv(("a.png", "x"), ("a.png", "x"), ("a.png", "x"))
        with pytest.raises(DatasetError, match=r"2 of 3 rows .*: repeated row id \(2\)"):
            bench.load(csv)
        dataset = bench.load(csv, on_error="skip")
        assert [sample.csv_line for sample in dataset.samples] == [2]
        assert [row.csv_line for row in dataset.skipped] == [3, 4]
        assert dataset.skipped[0].reason == "the row id 'a.png' is also that of line 2"

    def test_an_empty_id(self, bench):
        csv = bench.csv(("a.png", "x", ""), header=("path", "label", "key"))
        with pytest.raises(DatasetError, match=r"the row id is empty \(column 'key'\)"):
            bench.load(csv, id_column="key")

    def test_no_row_left_is_an_error_even_if_skipping(self, bench):
        with pytest.raises(DatasetError, match=r"Correct these rows: no row is left to evaluate\.$"):
            bench.load(bench.csv(("gone.png", "x")), on_error="skip")

    def test_list_is_capped_and_shows_every_kind(self, bench):
        bench.photo("good.png")
        rows = [(f"{number}.png", "typo") for number in range(50)] + [("gone.png", "x"), ("good.png", "x")]
        with pytest.raises(DatasetError) as raised:
            bench.load(bench.csv(*rows), classes=("x", "y"))
        lines = str(raised.value).splitlines()
        assert "unknown label (50), missing file (1)" in lines[0]
        assert sum(line.startswith("  line ") for line in lines) == 20
        assert "  ... and 31 more: unknown label" in lines
        assert any("'gone.png': no such file" in line for line in lines)
        assert lines[-1].endswith("set dataset.on_error=skip to evaluate the others.")

    def test_csv_order_of_skipped_rows(self, bench):
        bench.photo("a.png")
        csv = bench.csv(("gone.png", "x"), ("a.png", "x"), ("b.png", "typo"), ("gone2.png", "x"))
        dataset = bench.load(csv, classes=("x",), on_error="skip")
        assert [row.csv_line for row in dataset.skipped] == [2, 4, 5]


class TestLimit:
    def rows(self, bench, counts):
        for label, count in counts.items():
            for number in range(count):
                bench.photo(f"{label}{number}.png", size=(2, 2))
        rows = [(f"{label}{number}.png", label) for number in range(max(counts.values())) for label in counts]
        return [row for row in rows if (bench.folder / row[0]).exists()]

    def test_stratified_in_csv_order_and_only_these_are_read(self, bench, count_reads):
        csv = bench.csv(*self.rows(bench, {"x": 12, "y": 6, "z": 2}))
        reads_before = len(count_reads())
        dataset = bench.load(csv, limit=10)
        assert {name: labels(dataset).count(name) for name in "xyz"} == {"x": 6, "y": 3, "z": 1}
        lines = [sample.csv_line for sample in dataset.samples]
        assert lines == sorted(lines)
        assert sorted(count_reads()[reads_before:]) == sorted(sample.row_id for sample in dataset.samples)

    def test_seeded(self, bench):
        csv = bench.csv(*self.rows(bench, {"x": 12, "y": 6}))
        ids = [[s.row_id for s in bench.load(csv, limit=6, seed=seed).samples] for seed in (1, 1, 2)]
        assert ids[0] == ids[1] != ids[2]

    def test_classes_do_not_depend_on_it(self, bench):
        csv = bench.csv(*self.rows(bench, {"x": 5, "y": 1}))
        dataset = bench.load(csv, limit=1)
        assert dataset.classes == ("x", "y")
        assert len(dataset.samples) == 1

    def test_images_that_are_not_wanted_may_be_missing(self, bench):
        rows = self.rows(bench, {"x": 3})
        chosen = bench.load(bench.csv(*rows), limit=1).samples[0].row_id
        for name, _ in rows:
            if name != chosen:
                (bench.folder / name).unlink()
        assert [s.row_id for s in bench.load(bench.csv(*rows), limit=1).samples] == [chosen]


class TestCleanColumn:
    HEADER = ("id", "path", "label", "clean")

    def rows(self, bench, cleans):
        bench.photo("a.png")
        return bench.csv(*[(str(i), "a.png", "x", clean) for i, clean in enumerate(cleans)], header=self.HEADER)

    def test_ids_of_rows_are_taken_without_a_word(self, bench, capfd):
        csv = self.rows(bench, ["", "0", "1"])
        dataset = bench.load(csv, id_column="id", clean_column="clean", limit=1)
        assert len(dataset.samples) == 1
        assert "clean" not in capfd.readouterr().err

    def test_some_ids_without_a_row_are_told_once(self, bench, monkeypatch):
        told = []
        monkeypatch.setattr("evalharness.console.note", told.append)
        csv = self.rows(bench, ["1", "70", "71", "71", "72", "73", ""])
        assert len(bench.load(csv, id_column="id", clean_column="clean").samples) == 7
        (message,) = told
        assert "dataset.clean_column: 4 of 5 ids in the column 'clean'" in message
        assert message.endswith(f"row of {csv}: '70' (line 3), '71' (line 4), '72' (line 6), ...")

    def test_an_excluded_row_is_a_row(self, bench, monkeypatch):
        monkeypatch.setattr("evalharness.console.note", pytest.fail)
        bench.photo("a.png")
        csv = bench.csv(("1", "a.png", "x", "2"), ("2", "a.webp", "x", ""), header=self.HEADER)
        assert len(bench.load(csv, id_column="id", clean_column="clean", exclude=("webp",)).samples) == 1

    def test_no_id_with_a_row_is_an_error(self, bench):
        csv = self.rows(bench, ["0", "1"])
        told = r"names no row: expected row ids \(paths.*got '0' \(line 2\), '1' \(line 3\).*clean_column: clean"
        with pytest.raises(DatasetError, match=told):
            bench.load(csv, clean_column="clean")
