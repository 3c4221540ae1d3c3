"""Paths and names on the command line mean what is written, whatever Hydra's grammar would make of them."""

import shlex

import pytest

from evalharness.config.compose import compose_config
from evalharness.config.plain_values import for_a_shell, plain_keys, plain_text, quote_plain
from evalharness.errors import ConfigError

PATHS = [
    "runs/epoch=05-val_loss=0.21.h5", "テスト.h5", "run (1).h5", "a{1}.h5", "[a].h5", "~/x y.h5", "it's.h5",
    'a"b.h5', "C:\\data\\x.h5", "ends in \\", "#1.h5", "a;b.h5", "a&b!.h5", "$x.h5", "a: b.h5", "2024", "1e5", "true",
    "*.h5", "choice", "Ünï cödé/é.h5", " a.h5", "runs:/0123/w.h5",
]  # fmt: skip


def composed(*overrides):
    return compose_config(["model.weights=a.h5", "dataset.csv=b.csv", *overrides])


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_what_is_written(path):
    assert composed(f"model.weights={path}").model.weights == path
    assert str(composed(f"dataset.csv={path}").dataset.csv) == path


@pytest.mark.parametrize("name", ["2024_10", "007", "1e5", "true", "no", "1_000.5", "a=b", "花"])
def test_a_name_is_what_is_written(name):
    assert composed(f"dataset.name={name}").dataset.name == name


def test_null_quotes_and_interpolations_keep_their_meaning(monkeypatch):
    monkeypatch.setenv("DATA", "/data")
    assert composed("dataset.name=null").dataset.name is None
    assert composed("dataset.name='null'").dataset.name == "null"
    assert composed("model.weights='a=b.h5'").model.weights == "a=b.h5"
    assert composed("model.weights=${oc.env:DATA}/a.h5").model.weights == "/data/a.h5"


def test_names_in_a_list_are_what_is_written():
    assert composed("model.classes=[True,no,2024_10,花 1]").model.classes == ("True", "no", "2024_10", "花 1")
    assert composed("dataset.exclude=[]").dataset.exclude == ()
    assert composed("model.classes=['a,b','[c]']").model.classes == ("a,b", "[c]")


def test_other_keys_keep_hydras_grammar():
    given = [
        "batch_size=8",
        "attention.methods=[rollout]",
        "tracking.tags={a: b}",
        "+experiment=demo",
        "~gate",
        "model=custom",
    ]
    assert quote_plain(given) == given


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.weights=a.h5,b.h5", "model.weights=a.h5,b.h5"),
        ("model.weights=a=1.h5, b=2.h5", "model.weights='a=1.h5','b=2.h5'"),
        ("model.weights=a (1).h5,b.h5", "model.weights='a (1).h5',b.h5"),
        ("model.weights=花.h5,b.h5", "model.weights='花.h5',b.h5"),
        ("model.weights='a,b.h5',c.h5", "model.weights='a,b.h5',c.h5"),
        ("model.weights=choice(a,b)", "model.weights=choice(a,b)"),
        ("dataset.name=2024_10,2024_11", "dataset.name='2024_10','2024_11'"),
        ("seed=1,2,3", "seed=1,2,3"),
        ("attention.methods=[rollout],[legrad]", "attention.methods=[rollout],[legrad]"),
    ],
)
def test_commas_separate_the_runs_of_a_sweep(override, expected):
    assert quote_plain([override], is_sweep=True) == [expected]


def test_a_file_with_a_comma_is_one_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b.h5").write_bytes(b"")
    for is_sweep in (False, True):
        assert quote_plain(["model.weights=a,b.h5"], is_sweep=is_sweep) == ["model.weights='a,b.h5'"]
    for name in ("a", "b.h5"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"two ways: expected several files, a and b\.h5, or the file a,b\.h5"):
        quote_plain(["model.weights=a,b.h5"], is_sweep=True)


def test_a_value_that_cannot_be_read_is_printed_as_it_must_be_written():
    with pytest.raises(ConfigError) as caught:
        quote_plain(["bootstrap.confidence=0,9(5)"])
    written = str(caught.value).split("write ", 1)[1].rstrip(".")
    (argument,) = shlex.split(written)
    assert quote_plain([argument]) == ["bootstrap.confidence='0,9(5)'"]


@pytest.mark.parametrize("argument", ["a='b c'", 'a="$x"', "a=`b`", "a='it\\'s'"])
def test_what_is_printed_for_a_shell_is_read_back(argument):
    assert shlex.split(for_a_shell(argument)) == [argument]


def test_the_keys_are_those_of_the_config():
    keys = plain_keys()
    assert {"dataset.csv", "model.weights", "model.reference", "output_dir", "stress.cutouts"} <= {
        key for key, kind in keys.items() if kind == "path"
    }
    assert keys["dataset.name"] == keys["tracking.run_name"] == "text"
    assert keys["model.classes"] == "texts"
    assert not {"seed", "batch_size", "attention.methods", "tracking.tags", "dataset.resize"} & set(keys)


def test_a_text_that_is_not_parsed_by_hydra_at_all():
    assert plain_text("dataset.name", "2024_10") == "2024_10"
    assert plain_text("model.weights", "'a b.h5'") == "a b.h5"
    assert plain_text("dataset.name", "null") is None
    assert plain_text("batch_size", "8") is None
