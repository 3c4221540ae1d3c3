"""Flags of the commands: `check` takes a folder of presets as `run` does; what a command does not have is refused."""

import pytest

from evalharness.cli.check import check
from evalharness.cli.main import WITHOUT_FLAGS, main
from evalharness.config.compose import compose_config, overrides_from

GIVEN = overrides_from({"model": "mine", "model.weights": "a.h5", "dataset.csv": "a.csv"})


@pytest.fixture(params=["conf", "it's, my=conf $x"])
def presets(request, tmp_path):
    (tmp_path / request.param / "model").mkdir(parents=True)
    (tmp_path / request.param / "model" / "mine.yaml").write_text(
        "defaults:\n  - example\n  - _self_\nclasses: [left, right]\n"
    )
    return tmp_path / request.param


def test_a_folder_of_presets_is_beside_those_that_there_are(presets):
    config = compose_config(GIVEN, presets)
    assert config.model.classes == ("left", "right")
    assert config.model.image_size == (96, 96)


@pytest.mark.parametrize("write", [lambda folder: ["--config-dir", folder], lambda folder: [f"-cd={folder}"]])
def test_check_takes_a_folder_of_presets_between_overrides(presets, write, capsys):
    assert check([GIVEN[0], *write(str(presets)), *GIVEN[1:]]) == 1
    told = capsys.readouterr().err
    assert "no file at a.csv" in told
    assert "2 problems found" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config-dir=/none", *GIVEN], "presets not found: expected a folder, got no folder at /none"),
        ([*GIVEN, "--config-dir"], "flag cannot be used: argument --config-dir/-cd: expected one argument"),
        ([*GIVEN, "--cfg", "job"], "unknown flag: got --cfg. `evalharness check --help`"),
        (["-m", *GIVEN], "unknown flag: got -m"),
    ],
)
def test_check_refuses_other_flags(arguments, told, capsys):
    assert main(["check", *arguments]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", WITHOUT_FLAGS)
def test_commands_without_flags_refuse_them(command, capsys):
    assert main([command, "--json"]) == 2
    assert f"unknown flag: got --json. `evalharness {command} --help`" in capsys.readouterr().err
