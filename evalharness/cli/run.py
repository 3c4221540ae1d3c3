"""`evalharness run`: Hydra's own grammar and flags; one evaluation, or with -m a sweep of them."""

from argparse import ArgumentError
from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalharness.cli.job import JobOutcome, evaluate, start_hydra
from evalharness.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(arguments: Sequence[str]) -> int:
    """Runs one evaluation, or a sweep; returns the exit code.

    Raises:
        EvalHarnessError: The evaluation (not a sweep) failed for a reason that the user can mend.
    """
    if {"-m", "--multirun"} & set(arguments):
        from evalharness.cli.sweep import run_sweep

        return run_sweep(arguments)
    outcomes: list[JobOutcome | Exception] = []

    def job(composed: "DictConfig") -> None:
        # Kept instead of raised: Hydra would print its own lines around an exception that leaves the job.
        try:
            outcomes.append(evaluate(composed, number=0))
        except Exception as error:  # noqa: BLE001
            outcomes.append(error)

    start_hydra(job, overrides_first(arguments))
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.exit_code
    return 0


def overrides_first(arguments: Sequence[str]) -> list[str]:
    """Puts the flags behind the overrides: Hydra reads overrides in one stretch only.

    Raises:
        ConfigError: A flag that Hydra does not have, or a value that it does not take.
    """
    from hydra._internal.utils import get_args_parser

    parser = get_args_parser()
    parser.exit_on_error = False
    try:
        flags, others = parser.parse_known_args(list(arguments))
    except ArgumentError as error:
        raise ConfigError(f"flag cannot be used: {error}") from error
    unknown = [argument for argument in others if argument.startswith("-")]
    if unknown:
        raise ConfigError("unknown flag", got=" ".join(unknown), fix="`evalharness run --help` lists the flags")
    overrides = [*flags.overrides, *others]
    return [*overrides, *(argument for argument in arguments if argument not in overrides)]
