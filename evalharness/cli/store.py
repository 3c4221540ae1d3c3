"""`evalharness ui` and `evalharness log`: the commands that work on the tracking store alone."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from evalharness.config import TrackingConfig
from evalharness.config.compose import compose_section
from evalharness.console import note
from evalharness.errors import ConfigError
from evalharness.folders import is_there

DEFAULT_PORT = 5000
DEFAULT_EXPERIMENT = "evalharness"
USAGE_OF_LOG = "Usage: evalharness log RESULT [tracking.uri=...]"


def ui(arguments: Sequence[str]) -> int:
    """Opens MLflow's UI on the configured store, bound to the loopback."""
    from evalharness.tracking import serve_ui

    port = DEFAULT_PORT
    overrides = []
    for argument in arguments:
        if argument.startswith("port="):
            port = _port(argument.removeprefix("port="))
        else:
            overrides.append(argument)
    tracking, runs_dir = _tracking(overrides)
    return serve_ui(tracking, runs_dir, port=port)


def log(arguments: Sequence[str]) -> int:
    """Uploads a finished results folder: as a new run, or into the one that was logged from it before."""
    folders = [argument for argument in arguments if "=" not in argument or is_there(argument)]
    if len(folders) != 1:
        got = f"{len(folders)} of them"
        raise ConfigError("nothing to log", expected="one results folder", got=got, fix=USAGE_OF_LOG)
    from evalharness import tracking
    from evalharness.results import StoredResult

    result = StoredResult(Path(folders[0]))
    config, runs_dir = _tracking([argument for argument in arguments if argument not in folders])
    store = tracking.open_store(config, runs_dir)
    run_id = tracking.find_run(store, result.folder, result.manifest["fingerprint"])
    if run_id is not None:
        tracking.upload_results(store, run_id, result.folder)
        note(f"logged {result.folder} again, in place of what MLflow run {run_id} in {store.shown_uri} had")
        return 0
    with tracking.start_run(store, name=result.manifest["name"], config=config) as run_id:
        tracking.upload_results(store, run_id, result.folder)
    note(f"logged {result.folder} as MLflow run {run_id} in {store.shown_uri}")
    return 0


def side_by_side(config: TrackingConfig, runs_dir: Path, sweep: str) -> str:
    """How to open exactly the runs of one sweep as charts: the link, and for a local store the command before it."""
    from evalharness.tracking import compare_link, open_store, save_view

    store = open_store(config, runs_dir)
    link = compare_link(store, view=save_view(store, sweep))
    if store.is_server:
        return f"{store.shown_uri}{link}"
    return f"`{ui_command(config, runs_dir)}`, then http://127.0.0.1:{DEFAULT_PORT}{link}"


def ui_command(config: TrackingConfig, runs_dir: Path) -> str:
    """The command that opens the UI on a store."""
    where = "" if runs_dir == Path("runs") else f" runs_dir={shlex.quote(str(runs_dir))}"
    if config.uri:
        where = f" tracking.uri={shlex.quote(config.uri)}"
    if config.experiment != DEFAULT_EXPERIMENT:
        where += f" tracking.experiment={shlex.quote(config.experiment)}"
    return f"evalharness ui{where}"


def _tracking(overrides: Sequence[str]) -> tuple[TrackingConfig, Path]:
    values = compose_section(overrides, "tracking", "runs_dir")
    return values["tracking"], values["runs_dir"]


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigError("port cannot be used", expected="a number from 1 to 65535", got=text, where="port")
    return int(text)
