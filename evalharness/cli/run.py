"""`evalharness run`: Hydra's own grammar and flags; one evaluation, or with -m a sweep of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalharness.cli.job import JobOutcome, evaluate, start_hydra

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

    start_hydra(job, arguments)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.exit_code
    return 0
