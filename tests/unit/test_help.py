"""The help of every command: complete, within 80 columns, and without waiting for a heavy library."""

import subprocess
import sys

import pytest

from evalharness.cli.help import PAGES, WIDTH, help_text
from evalharness.cli.main import COMMANDS, main
from evalharness.config import RunConfig

each_command = pytest.mark.parametrize("command", COMMANDS)


def test_every_command_has_a_page():
    assert list(PAGES) == sorted(PAGES, key=list(PAGES).index)
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


@pytest.mark.parametrize("section", [*RunConfig.model_fields])
def test_every_key_of_the_config_is_told_with_a_comment(section):
    (command,) = [name for name in ("run", "compare") if section in PAGES[name].sections][:1]
    text = help_text(command)
    model = RunConfig.model_fields[section].annotation
    presets_own = {"head", "patch_size", "num_layers", "hidden_size", "num_heads", "mlp_dim", "builder", "builder_args"}
    names = set(getattr(model, "model_fields", {})) - presets_own - {"allow_code"}
    start = text.index(f"\n  {section}:", text.index("keys, with"))
    lines = text[start + 1 :].splitlines()
    end = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("    ")), len(lines))
    told = {line.split(":")[0].strip() for line in lines[1:end] if not line.strip().startswith(("#", "-"))}
    assert names <= told
    for number, line in enumerate(lines[1:end], 1):
        if line.split(":")[0].strip() in names:
            assert "#" in line or lines[number - 1].strip().startswith("#"), line


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
