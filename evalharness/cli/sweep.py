"""`evalharness run -m`: flat runs that share a tag, started by any of Hydra's launchers, told in one table."""

import json
import os
import shlex
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.cli.job import JobOutcome, evaluate, overrides_first, own_overrides, start_hydra
from evalharness.cli.launchers import Workers, limit_threads, missing_launcher, plan_workers
from evalharness.config import TrackingConfig
from evalharness.config.compose import composition_error, quoted, validate_section
from evalharness.config.folder import conf_dir
from evalharness.config.plain_values import literal
from evalharness.console import console, warn
from evalharness.errors import ConfigError, EvalHarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig

POLL_S = 0.5
NAMED = ("model.weights", "dataset.csv", "tracking.run_name")
"""Settings that a run's name tells."""
MAX_APART = 60
OUTCOME, LOG = "outcome.json", "output.log"


@dataclass(frozen=True)
class Sweep:
    """What is known before the first member starts; travels to every worker."""

    id: str
    folder: Path
    """Absolute: holds a folder of every member with its outcome, Hydra's record of it, and what it printed."""
    start_dir: Path
    """Where the command was started: relative paths mean files below it, wherever a worker runs."""
    members: tuple[tuple[str, ...], ...]
    """The overrides of each."""
    runs_dir: Path
    tracking: TrackingConfig
    workers: Workers | None
    """None: members run one after the other in this process."""


def run_sweep(arguments: Sequence[str]) -> int:
    """Runs every member, whatever happens to the others, and prints what came out; returns the exit code.

    Raises:
        ConfigError: The command line, or the first member's config, cannot be composed.
    """
    from evalharness.cli.sweep_summary import print_sweep

    sweep_id = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:4]}"
    sweep = plan_sweep(overrides_first(arguments), sweep_id)
    if sweep is None:
        start_hydra(_print_nothing, arguments)
        return 0
    command = shlex.join(["evalharness", "run", *arguments])
    added = [f"tracking.sweep={sweep_id}", f"tracking.sweep_command={literal(command)}"]
    if not any(argument.startswith("hydra.sweep.") for argument in arguments):
        added.append(f"hydra.sweep.dir={literal(str(sweep.folder))}")
    if sweep.workers:
        added += sweep.workers.settings
    # Ray would report usage to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

    def member(composed: "DictConfig") -> None:
        run_member(composed, sweep)

    with _telling_what_ends(sweep):
        try:
            start_hydra(member, [*arguments, *added])
        except EvalHarnessError:
            raise
        except Exception as error:  # noqa: BLE001
            # A launcher lost a worker; what the others did is worth its table.
            warn(f"the launcher stopped: {type(error).__name__}: {error}")
    return print_sweep(read_outcomes(sweep), sweep_id=sweep.id, tracking=sweep.tracking, runs_dir=sweep.runs_dir)


def plan_sweep(arguments: Sequence[str], sweep_id: str) -> Sweep | None:
    """Composes the first member, to know where things go and what starts them; None if only help is wanted.

    Raises:
        ConfigError: An override, a preset or a launcher that Hydra refuses.
    """
    from hydra import compose, initialize_config_dir
    from hydra._internal.utils import get_args_parser
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    flags = get_args_parser().parse_args(list(arguments))
    if flags.hydra_help:
        return None
    if flags.run or flags.cfg or flags.info or flags.shell_completion:
        raise ConfigError("-m starts evaluations: it goes with no flag that does something else", fix="Leave out -m")
    own = [f"hydra.searchpath=[{quoted(f'file://{Path(flags.config_dir).absolute()}')}]"] if flags.config_dir else []
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="evalharness"):
            members = _members(flags.overrides)
            hydra_settings = [value for value in flags.overrides if value.lstrip("+~").startswith("hydra")]
            first = [*own, *hydra_settings, *members[0]]
            composed = compose(flags.config_name or "config", overrides=first, return_hydra_config=True)
        section = validate_section(composed, "runs_dir", "tracking")
        launcher: Any = OmegaConf.to_container(composed.hydra.launcher, resolve=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise missing_launcher(str(error)) or composition_error(error) from error
    return Sweep(
        id=sweep_id,
        folder=section["runs_dir"].absolute() / "sweeps" / sweep_id,
        start_dir=Path.cwd(),
        members=tuple(members),
        runs_dir=section["runs_dir"],
        tracking=section["tracking"],
        workers=plan_workers(launcher, len(members)),
    )


def _members(overrides: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination, numbered as Hydra's own sweeper does."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    parsed = [value for value in parser.parse_overrides(list(overrides)) if not value.is_hydra_override()]
    (members,) = BasicSweeper.split_arguments(parsed, None)
    return [tuple(member) for member in members]


def what_sets_apart(overrides: Sequence[str], members: Sequence[Sequence[str]]) -> str | None:
    """The values that only some members have, such as `rollout`; None where the run's name says it all.

    Args:
        overrides: Of one member.
        members: The overrides of all.
    """
    own = dict(override.split("=", 1) for override in own_overrides(overrides, members) if "=" in override)
    values = []
    for key, value in own.items():
        name = key.lstrip("+")
        if name not in NAMED:
            values.append(value.strip("[]"))
        elif (folder := _folder_apart(name, value, members)) is not None:
            values.append(folder)
    return ", ".join(values)[:MAX_APART] or None


def _folder_apart(key: str, value: str, members: Sequence[Sequence[str]]) -> str | None:
    """The part of a path that tells it from others of the same name, which run names are made of; None without such."""
    path = _path(value)
    pairs = (other.partition("=") for overrides in members for other in overrides)
    paths = {_path(text) for name, _, text in pairs if name.lstrip("+") == key}
    folders = {other.parent for other in paths if other.name == path.name}
    if len(folders) < 2:
        return None
    apart = path.parent.relative_to(os.path.commonpath(folders))
    return apart.as_posix() if apart.parts else path.parent.name


def _path(value: str) -> Path:
    return Path(value.strip("'\"")).absolute()


def run_member(composed: "DictConfig", sweep: Sweep) -> None:
    """One member, in whatever process: whatever happens to it is written down and the others go on."""
    from hydra.core.hydra_config import HydraConfig

    number = int(HydraConfig.get().job.num)
    overrides = tuple(value for value in HydraConfig.get().overrides.task if "tracking.sweep" not in value)
    os.chdir(sweep.start_dir)
    folder = sweep.folder / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if sweep.workers is None:
            print(f"\n[{number}] {' '.join(overrides)}", file=sys.stderr)
        else:
            limit_threads(sweep.workers.num_threads)
            # The bars of several workers would overwrite each other.
            log = stack.enter_context((folder / LOG).open("w", encoding="utf-8"))
            stack.enter_context(redirect_stdout(log))
            stack.enter_context(redirect_stderr(log))
        composed.tracking.sweep_member = what_sets_apart(overrides, sweep.members)
        outcome = _outcome(composed, number, overrides)
    path = folder / OUTCOME
    path.with_suffix(".part").write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    path.with_suffix(".part").replace(path)


def _outcome(composed: "DictConfig", number: int, overrides: tuple[str, ...]) -> JobOutcome:
    try:
        return evaluate(composed, number=number, overrides=overrides)
    except EvalHarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return JobOutcome(number, overrides, error=str(error), exit_code=error.exit_code)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        return JobOutcome(number, overrides, error=f"{type(error).__name__}: {error}", exit_code=1)


def read_outcomes(sweep: Sweep) -> list[JobOutcome]:
    """How every member ended, in order; one whose worker was killed left nothing, which is an outcome too."""
    found = {outcome.number: outcome for outcome in map(_read, sweep.folder.glob(f"*/{OUTCOME}"))}
    for number, overrides in enumerate(sweep.members):
        if number not in found:
            reason = "no outcome: its worker was killed (out of memory?) or never started; the same command continues"
            found[number] = JobOutcome(number, overrides, error=reason, exit_code=1)
    return [found[number] for number in sorted(found)]


def _read(path: Path) -> JobOutcome:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return JobOutcome(**{**values, "overrides": tuple(values["overrides"])})


@contextmanager
def _telling_what_ends(sweep: Sweep) -> Iterator[None]:
    """Prints a line when a member that runs elsewhere ends."""
    if sweep.workers is None:
        yield
        return
    threads = f", TensorFlow threads in each: {sweep.workers.num_threads}" if sweep.workers.num_threads else ""
    console.print(f"sweep of {len(sweep.members)} runs{threads}", soft_wrap=True, markup=False)
    console.print(f"what each prints: {sweep.folder}/<#>/{LOG}", soft_wrap=True, markup=False)
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(sweep, done), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(sweep: Sweep, done: threading.Event) -> None:
    told: set[Path] = set()
    is_last = False
    while not is_last:
        is_last = done.wait(POLL_S)
        for path in sorted(set(sweep.folder.glob(f"*/{OUTCOME}")) - told):
            told.add(path)
            outcome = _read(path)
            own = " ".join(own_overrides(outcome.overrides, sweep.members))
            ended = f"accuracy {outcome.headline['accuracy']:.4f}" if outcome.headline else outcome.error
            console.print(f"[{outcome.number}] {own}: {ended}", soft_wrap=True, markup=False)


def _print_nothing(_composed: "DictConfig") -> None:
    """The job of a command that only prints."""
