import pytest

from evalharness.errors import DatasetError
from evalharness.folders import from_home, is_there, list_files


def write(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def listed(folder, *suffixes):
    return [file.relative_to(folder).as_posix() for file in list_files(folder, *suffixes)]


def test_files_come_sorted_and_by_their_ending_in_either_case(tmp_path):
    write(tmp_path, "b/2.TXT", "a.txt", "b/1.png", "c.tar/d")
    assert listed(tmp_path) == ["a.txt", "b/1.png", "b/2.TXT", "c.tar/d"]
    assert listed(tmp_path, ".txt") == ["a.txt", "b/2.TXT"]
    assert listed(tmp_path, ".txt", ".png") == ["a.txt", "b/1.png", "b/2.TXT"]


@pytest.mark.parametrize(
    "name",
    [
        "._a.txt", "x/._a.txt", ".DS_Store", "Thumbs.db", "thumbs.db", "Desktop.ini", "desktop.ini", "~$list.txt",
        ".ipynb_checkpoints/a-checkpoint.txt", "x/.ipynb_checkpoints/a.txt", "__MACOSX/x/._a.txt", "__MACOSX/a.txt",
        "@eaDir/a.txt", ".git/a.txt",
    ],
)  # fmt: skip
def test_files_of_systems_are_passed_over(name, tmp_path):
    write(tmp_path, name, "a.txt")
    assert listed(tmp_path) == ["a.txt"]


def test_only_what_lies_in_the_folder_is_judged(tmp_path):
    write(tmp_path / ".ipynb_checkpoints", "a.txt", "_a.txt", ".hidden.txt")
    assert listed(tmp_path / ".ipynb_checkpoints") == [".hidden.txt", "_a.txt", "a.txt"]


def test_a_folder_that_cannot_be_read_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "pathlib.Path.is_file", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
    )
    write(tmp_path, "a.txt")
    with pytest.raises(DatasetError, match=r"a folder cannot be read: got .*Permission denied"):
        list_files(tmp_path)


def test_a_text_that_is_no_path_is_not_there(tmp_path):
    assert is_there(tmp_path)
    assert not is_there("a=" + 300 * "b")
    assert not is_there("a\0b")


@pytest.mark.parametrize("name", ["~weights.h5", "~nosuchuser/a.h5", "a/~", "./~/a", "~$list.csv"])
def test_a_tilde_that_is_no_home_stays(name):
    assert from_home(name) == name
