"""`evalharness run`: Hydra's own grammar and flags; one evaluation, or with -m a sweep of them."""

import json
import os
import shlex
import sys
import traceback
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.errors import EvalHarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig


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


def run(arguments: Sequence[str]) -> int:
    """Runs one evaluation, or a sweep; returns the exit code.

    Raises:
        EvalHarnessError: The evaluation (not a sweep) failed for a reason that the user can mend.
    """
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from evalharness.config.compose import composition_error, conf_dir

    is_sweep = bool({"-m", "--multirun"} & set(arguments))
    sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    if is_sweep:
        command = shlex.join(["evalharness", "run", *arguments])
        arguments = [*arguments, f"tracking.sweep={sweep_id}", f"tracking.sweep_command={_as_override(command)}"]
    # Hydra then raises what it refuses instead of printing it and leaving.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["evalharness run", *arguments]
    single: list[JobOutcome | Exception] = []

    @hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")
    def job(composed: "DictConfig") -> None:
        if is_sweep:
            _run_member(composed)
        else:
            _run_single(composed, single)

    try:
        job()
    except (HydraException, OmegaConfBaseException) as error:
        raise composition_error(error) from error
    if is_sweep:
        from evalharness.cli.summary import print_sweep

        return print_sweep(_read_outcomes(_sweep_dir(arguments, sweep_id)))
    for outcome in single:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome.exit_code
    return 0


def _run_single(composed: "DictConfig", outcomes: list[JobOutcome | Exception]) -> None:
    # Kept instead of raised: Hydra would print its own lines around an exception that leaves the job.
    try:
        outcomes.append(_evaluate(composed, number=0))
    except Exception as error:  # noqa: BLE001
        outcomes.append(error)


def _run_member(composed: "DictConfig") -> None:
    """One member of a sweep: whatever happens to it is written down and the others go on."""
    from hydra.core.hydra_config import HydraConfig

    number = int(HydraConfig.get().job.num)
    overrides = tuple(value for value in HydraConfig.get().overrides.task if "tracking.sweep" not in value)
    print(f"\n[{number}] {' '.join(overrides)}", file=sys.stderr)
    try:
        outcome = _evaluate(composed, number=number, overrides=overrides)
    except EvalHarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        outcome = JobOutcome(number, overrides, error=str(error), exit_code=error.exit_code)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        outcome = JobOutcome(number, overrides, error=f"{type(error).__name__}: {error}", exit_code=1)
    folder = Path(composed.runs_dir) / "sweeps" / composed.tracking.sweep
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.json").write_text(json.dumps(asdict(outcome)), encoding="utf-8")


def _evaluate(composed: "DictConfig", *, number: int, overrides: tuple[str, ...] = ()) -> JobOutcome:
    from evalharness.config.compose import validate_config

    config = validate_config(composed)
    if config.tracking.sweep and config.output_dir:
        config = config.model_copy(update={"output_dir": config.output_dir / str(number)})
    from evalharness.cli.summary import print_summary
    from evalharness.pipeline import run_evaluation

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


def _as_override(text: str) -> str:
    from evalharness.config.compose import quoted

    return quoted(text)


def _sweep_dir(arguments: Sequence[str], sweep_id: str) -> Path:
    from evalharness.config.compose import compose_section

    given = [argument for argument in arguments if argument.startswith("runs_dir=")]
    return Path(compose_section(given, "runs_dir")["runs_dir"]) / "sweeps" / sweep_id


def _read_outcomes(folder: Path) -> list[JobOutcome]:
    values: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    outcomes = [JobOutcome(**{**value, "overrides": tuple(value["overrides"])}) for value in values]
    return sorted(outcomes, key=lambda outcome: outcome.number)
