"""Flags that a command does not have."""

from collections.abc import Sequence

from evalharness.errors import ConfigError
from evalharness.folders import is_there


def refuse_flags(command: str, arguments: Sequence[str]) -> None:
    """Refuses arguments that look like flags and are no files.

    Raises:
        ConfigError: There are some.
    """
    flags = [argument for argument in arguments if argument.startswith("-") and not is_there(argument)]
    if flags:
        raise ConfigError(
            "unknown flag", got=" ".join(flags), fix=f"`evalharness {command} --help` tells what the command takes"
        )
