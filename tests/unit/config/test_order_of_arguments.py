import pytest

from evalharness.cli.job import overrides_first
from evalharness.errors import ConfigError


@pytest.mark.parametrize(
    ("arguments", "ordered"),
    [
        ("a=1 -m b=2,3", "a=1 b=2,3 -m"),
        ("-m a=1 b=2,3", "a=1 b=2,3 -m"),
        ("a=1 --cfg job ~b", "a=1 ~b --cfg job"),
        ("a=-1 --config-dir d +b=2 -m ++c=3", "a=-1 +b=2 ++c=3 --config-dir d -m"),
        ("--help", "--help"),
    ],
)
def test_flags_may_stand_among_overrides(arguments, ordered):
    assert overrides_first(arguments.split()) == ordered.split()


@pytest.mark.parametrize(("arguments", "part"), [("a=1 --nosuch b=2", "got --nosuch"), ("--cfg jop", "'jop'")])
def test_a_flag_that_hydra_refuses(arguments, part, capsys):
    with pytest.raises(ConfigError, match=part):
        overrides_first(arguments.split())
    assert capsys.readouterr().err == ""
