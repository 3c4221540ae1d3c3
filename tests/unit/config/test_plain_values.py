"""Paths and names on the command line mean what is written, whatever Hydra's grammar would make of them."""

import random
import shlex
from pathlib import Path

import pytest

from evalharness.config.compose import compose_config
from evalharness.config.plain_values import for_a_shell, literal, plain_keys, quote_plain, quoted, value_of
from evalharness.errors import ConfigError

PATHS = [
    "runs/epoch=05-val_loss=0.21.h5", "テスト.h5", "run (1).h5", "a{1}.h5", "[a].h5", "~/x y.h5", "it's.h5",
    'a"b.h5', "C:\\data\\x.h5", "ends in \\", "#1.h5", "a;b.h5", "a&b!.h5", "$x.h5", "a: b.h5", "2024", "1e5", "true",
    "*.h5", "choice", "Ünï cödé/é.h5", " a.h5", "runs:/0123/w.h5", "it\\'s.h5", "C:\\new\\\\'s\\", "\\'x'", "'x\\'",
    "'a' 'b'", "both'\".h5", "${x}.h5", "a${b.h5", "${HOME}/a.h5", "\\${x", "$(x).h5", "~weights.h5", "~", "{a,b}.h5",
    "\t.h5",
]  # fmt: skip


def composed(*overrides):
    return compose_config(["model.weights=a.h5", "dataset.csv=b.csv", *overrides])


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_what_is_written(path):
    assert composed(f"model.weights={path}").model.weights == path
    assert (
        composed(f"dataset.csv={path}").dataset.csv == Path(path).expanduser()
        if path[:2] in ("~", "~/")
        else Path(path)
    )


@pytest.mark.parametrize("name", ["2024_10", "007", "1e5", "true", "no", "1_000.5", "a=b", "花"])
def test_a_name_is_what_is_written(name):
    assert composed(f"dataset.name={name}").dataset.name == name


def test_null_quotes_and_interpolations_keep_their_meaning(monkeypatch):
    monkeypatch.setenv("DATA", "/data")
    assert composed("dataset.name=null").dataset.name is None
    assert composed("dataset.name='null'").dataset.name == "null"
    assert composed("model.weights='a=b.h5'").model.weights == "a=b.h5"
    assert composed("model.weights=${oc.env:DATA}/a.h5").model.weights == "/data/a.h5"
    assert composed("model.weights=${oc.env:DATA}/a=1 (2).h5").model.weights == "/data/a=1 (2).h5"
    assert composed("model.weights=${runs_dir}/a.h5").model.weights == "runs/a.h5"
    assert composed("dataset.name=${nothing:1}-${runs_dir}").dataset.name == "${nothing:1}-${runs_dir}"


def test_names_in_a_list_are_what_is_written():
    assert composed("model.classes=[True,no,2024_10,花 1]").model.classes == ("True", "no", "2024_10", "花 1")
    assert composed("model.classes=[null,None,NULL,nan]").model.classes == ("null", "None", "NULL", "nan")
    assert composed("dataset.exclude=[]").dataset.exclude == ()
    assert composed("model.classes=['a,b','[c]']").model.classes == ("a,b", "[c]")
    assert composed("dataset.exclude=[a b,it's,x (1)]").dataset.exclude == ("a b", "it's", "x (1)")
    assert composed("what_is_it.classes=[007,1_0]").what_is_it.classes == ("007", "1_0")
    assert composed("what_is_it.classes=imagenet").what_is_it.classes == "imagenet"


def test_names_in_a_mapping_are_what_is_written():
    assert composed("tracking.tags={day: 2024_10, of: a (1), at: http://x}").tracking.tags == {
        "day": "2024_10", "of": "a (1)", "at": "http://x",
    }  # fmt: skip
    assert composed("+tracking.tags.day=2024_10", "+tracking.tags.of=a=b (c)").tracking.tags == {
        "day": "2024_10", "of": "a=b (c)",
    }  # fmt: skip


def test_any_text_passes_through_the_grammars_of_hydra_and_omegaconf():
    chance = random.Random(0)
    texts = [
        "".join(chance.choices(["\\", "'", '"', "${", "}", "$", " ", "=", ",", "花", ".", ":"], k=8))
        for _ in range(500)
    ]
    for text in texts:
        assert value_of("seed", quoted(text)) == value_of("seed", quoted(text, '"')) == text
    for text in texts[:40]:  # composing takes a tenth of a second
        assert composed(f"dataset.name={literal(text)}").dataset.name == text


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
        ("model.weights=it's.h5,b.h5", "model.weights='it\\'s.h5',b.h5"),
        ("model.weights=${runs_dir}/a.h5,${x}.h5", "model.weights=${runs_dir}/a.h5,'\\${x}.h5'"),
        ("model.weights=${oc.env:X,y},b.h5", "model.weights=${oc.env:X,y},b.h5"),
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


@pytest.mark.parametrize("text", ["b c", '"$x"', "`b`", "it's", "a\\,b", "both'\",", "a,${b}!", "花,b"])
def test_what_is_printed_for_a_shell_is_read_back(text):
    (argument,) = shlex.split(for_a_shell("dataset.name", text))
    assert composed(argument).dataset.name == text


@pytest.mark.parametrize("text", ["a.h5,b.h5", "x,y z.h5", "a\\,b.h5", "it's,b.h5"])
def test_a_comma_outside_a_sweep_is_refused_with_both_ways_to_write_it(text):
    with pytest.raises(
        ConfigError, match=r"two ways: expected one value, or a run for each part.*`evalharness run -m`"
    ) as caught:
        composed(f"model.weights={text}")
    (argument,) = shlex.split(str(caught.value).split("Write ", 1)[1].split(" for the one")[0])
    assert composed(argument).model.weights == text


def test_what_an_interpolation_stands_for_or_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "${seed}.h5").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"two ways: expected the file \$\{seed\}\.h5, or what") as caught:
        composed("model.weights=${seed}.h5")
    (argument,) = shlex.split(str(caught.value).split("Write ", 1)[1].split(" for the file")[0])
    assert composed(argument).model.weights == "${seed}.h5"


def test_a_path_from_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert composed("output_dir=~/out", "dataset.csv=~/a b.csv").output_dir == home / "out"
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "a.csv").write_text("")
    assert composed("dataset.csv=~/a.csv").dataset.csv == Path("~/a.csv")
    assert composed("dataset.csv=./~/b.csv").dataset.csv == Path("~/b.csv")
    (home / "a.csv").write_text("")
    with pytest.raises(ConfigError, match=r"dataset\.csv: can be read in two ways: .*home/a\.csv, or .*~/a\.csv"):
        composed("dataset.csv=~/a.csv")


@pytest.mark.parametrize("key", ["dataset.csv", "output_dir", "runs_dir", "dataset.annotations"])
def test_an_empty_path_is_not_the_working_directory(key):
    with pytest.raises(ConfigError, match=rf"{key}: expected a path, got an empty text"):
        composed(f"{key}=")


def test_several_values_outside_a_sweep():
    with pytest.raises(ConfigError, match=r"Write model\.classes=\[a,b\] for a list; `evalharness run -m`"):
        composed("model.classes=a,b")
    with pytest.raises(ConfigError, match=r"Several values need -m"):
        composed("seed=range(1,3)")


def test_the_keys_are_those_of_the_config():
    keys = plain_keys()
    assert {"dataset.csv", "model.weights", "model.reference", "output_dir", "stress.cutouts"} <= {
        key for key, kind in keys.items() if kind == "path"
    }
    assert keys["dataset.name"] == keys["tracking.run_name"] == "text"
    assert keys["model.classes"] == keys["what_is_it.classes"] == "texts"
    assert keys["tracking.tags"] == "mapping"
    assert not {"seed", "batch_size", "attention.methods", "audit.roles", "dataset.resize"} & set(keys)


def test_a_value_where_nothing_is_composed():
    assert value_of("dataset.name", "2024_10") == "2024_10"
    assert value_of("model.weights", "'a b.h5'") == "a b.h5"
    assert value_of("model.weights", "${x}\\'s,b.h5") == "${x}\\'s,b.h5"
    assert value_of("dataset.name", "null") is None
    assert value_of("batch_size", "8") == 8
    assert value_of("dataset.exclude", "[2024_10,it's]") == ["2024_10", "it's"]
