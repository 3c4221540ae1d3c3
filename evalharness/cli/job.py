"""One evaluation of a command: started by Hydra, summed up in an outcome."""

import os
import sys
from argparse import ArgumentError
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.cli.first_look import look_first
from evalharness.config.plain_values import quote_plain
from evalharness.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig


MULTIRUN = "hydra.mode=MULTIRUN"
"""What -m is short for."""


@dataclass(frozen=True)
class JobOutcome:
    """How one evaluation of a command ended."""

    number: int
    overrides: tuple[str, ...]
    error: str | None = None
    exit_code: int = 0
    results: str | None = None
    run_id: str | None = None
    run_name: str | None = None
    headline: dict[str, float] | None = None


def own_overrides(overrides: Sequence[str], members: Sequence[Sequence[str]]) -> list[str]:
    """Those of a member that not all members of its sweep have."""
    shared = set.intersection(*map(set, members))
    return [override for override in overrides if override not in shared]


def start_hydra(job: Callable[["DictConfig"], None], arguments: Sequence[str]) -> None:
    """Lets Hydra read the arguments and run the job, once or for every member of a sweep.

    Raises:
        ConfigError: Hydra refuses the arguments.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from evalharness.cli.launchers import missing_launcher
    from evalharness.config.compose import composition_error
    from evalharness.config.folder import conf_dir

    # Hydra then raises what it refuses instead of printing it and leaving.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["evalharness run", *overrides_first(arguments)]
    try:
        hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")(job)()
    except (HydraException, OmegaConfBaseException) as error:
        raise missing_launcher(str(error)) or composition_error(error) from error


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
    rest = [argument for argument in arguments if argument not in overrides]
    return [*quote_plain(overrides, is_sweep=bool(flags.multirun) or MULTIRUN in overrides), *rest]


def evaluate(composed: "DictConfig", *, number: int, overrides: tuple[str, ...] = ()) -> JobOutcome:
    """Runs one evaluation and prints its summary.

    Args:
        composed: Hydra's config.
        number: Of the member in its sweep.
        overrides: That make this member.
    """
    from evalharness.completed_config import validate_completed

    config = validate_completed(composed)
    if config.tracking.sweep and config.output_dir:
        config = config.model_copy(update={"output_dir": config.output_dir / str(number)})
    look_first(config)
    from evalharness.cli.summary import print_summary
    from evalharness.evaluating.pipeline import run_evaluation

    logged = run_evaluation(config)
    print_summary(logged)
    headline = {name: logged.result.metrics[name] for name in ("accuracy", "macro_f1", "ece")}
    broken = logged.result.manifest["findings"]["broken_gates"]
    return JobOutcome(
        number,
        overrides,
        exit_code=3 if broken else 0,
        results=str(logged.result.folder),
        run_id=logged.run_id,
        run_name=logged.result.manifest["name"],
        headline=headline,
    )
