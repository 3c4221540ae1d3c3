"""The help of every command: complete, within 80 columns, and without waiting for a heavy library."""

import subprocess
import sys

import pytest

from evalharness.annotations import READERS
from evalharness.attention.registry import METHODS
from evalharness.cli.help import PAGES, WIDTH, help_text
from evalharness.cli.main import COMMANDS, main
from evalharness.config import PREPROCESSINGS, RunConfig
from evalharness.config.folder import conf_dir

each_command = pytest.mark.parametrize("command", COMMANDS)


def test_every_command_has_a_page():
    assert set(PAGES) == set(COMMANDS)
    assert {name for page in PAGES.values() for name in page.sections} == set(RunConfig.model_fields)


@each_command
def test_a_page_has_usage_an_example_and_the_keys_within_80_columns(command):
    text = help_text(command)
    assert text.startswith(f"usage: evalharness {command}")
    assert f"\n  evalharness {command}" in text[text.index("examples:") :]
    assert all(len(line) <= WIDTH for line in text.splitlines())
    keys = text[text.index("keys, with") :]
    for name in PAGES[command].sections:
        assert f"\n  {name}:" in keys


def told_keys(section, *arguments):
    """The keys of a section that its page tells, and whether each has a comment."""
    (command,) = [name for name in ("run", "compare", "repair", "serve") if section in PAGES[name].sections][:1]
    text = help_text(command, arguments)
    start = text.index(f"\n  {section}:", text.index("keys, with"))
    lines = text[start + 1 :].splitlines()
    end = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("    ")), len(lines))
    return {
        line.split(":")[0].strip(): "#" in line or lines[number].strip().startswith("#")
        for number, line in enumerate(lines[1:end])
        if not line.strip().startswith("#")
    }


@pytest.mark.parametrize("section", [*RunConfig.model_fields])
def test_every_key_of_the_config_is_told_with_a_comment(section):
    presets = (
        ["model=notebook", "model=custom", "model=builder", "model=from_file", "model=huggingface", "model=timm"]
        if section == "model"
        else [""]
    )
    told = {key: has for preset in presets for key, has in told_keys(section, preset).items()}
    assert set(told) == set(getattr(RunConfig.model_fields[section].annotation, "model_fields", {}))
    assert all(told.values()), told


@pytest.mark.parametrize("group", ["model", "dataset", "attention", "tracking"])
def test_every_preset_can_be_shown(group):
    for preset in (path.stem for path in (conf_dir() / group).glob("*.yaml")):
        text = help_text("check", [f"{group}={preset}"])
        assert f"\n  {group}: # preset {preset}\n" in text
        assert all(len(line) <= WIDTH for line in text.splitlines())
        assert all(told_keys(group, f"{group}={preset}").values())


def test_a_preset_shows_its_own_values_and_its_head():
    assert "path_columns: [base_path, type_dir, file_name]" in help_text("run", ["dataset=notebook"])
    assert "as model/head=linear: Dense(classes, softmax)" in help_text("run", ["model=vit_b16", "model/head=linear"])
    assert "    head: " not in help_text("run", ["model=builder"])


def test_an_unknown_preset(capsys):
    assert main(["run", "--help", "model=vit_b17"]) == 2
    assert "expected one of builder, custom" in capsys.readouterr().err


def test_the_comments_name_what_there_is():
    text = " ".join(help_text("run").replace("#", "").split())
    for name in (*METHODS, *PREPROCESSINGS, *READERS):
        assert name in text


def test_the_first_page_is_within_80_columns(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= WIDTH for line in text.splitlines())
    assert all(f"\n  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_before_the_command(flag, capsys):
    assert main([flag, "compare"]) == 0
    assert capsys.readouterr().out == help_text("compare")


def test_a_reader_that_has_seen_enough():
    command = [sys.executable, "-m", "evalharness", "run", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@each_command
@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["a=b", "--help", "c"]])
def test_help_wins_wherever_it_stands(command, arguments, capsys):
    assert main([command, *arguments]) == 0
    assert capsys.readouterr().out == help_text(command)


def test_help_of_a_command_by_its_name(capsys):
    assert main(["help", "compare"]) == 0
    assert capsys.readouterr().out == help_text("compare")
    assert main(["help"]) == 0
    assert "commands:" in capsys.readouterr().out
    assert main(["help", "nothing"]) == 2
    assert "unknown command" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    script = (
        "import sys; from evalharness.cli.main import main; main(['run', '--help'])\n"
        "heavy = {'tensorflow', 'mlflow', 'matplotlib', 'hydra', 'pandas', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
