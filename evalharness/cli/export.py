"""`evalharness export`: samples, maps and annotations of a finished evaluation, for other tools."""

from collections.abc import Sequence
from pathlib import Path

from evalharness.config.compose import compose_section
from evalharness.console import note, warn
from evalharness.errors import ConfigError
from evalharness.folders import is_there

LOG = "verdicts.jsonl"
"""That is in the folder of a bench's log."""
USAGE = "Usage: evalharness export RESULT --to DIR [maps=npz|tiff|none] [tracking.uri=...]"


def export(arguments: Sequence[str]) -> int:
    """Writes a results folder, or the results of an MLflow run, as files for other tools."""
    run, folder, map_format, overrides = _parse(arguments)
    if (Path(run) / LOG).is_file():
        return _export_log(Path(run), folder)
    from evalharness.finished_runs import find_result

    section = compose_section(overrides, "tracking", "runs_dir")
    result = find_result(run, section["tracking"], section["runs_dir"])
    # Behind what may be missing: it takes seconds to import.
    from evalharness.exporting.pipeline import export_result

    exported = export_result(result, folder, map_format=map_format)
    for text in exported.notes:
        warn(text)
    for text in exported.hints:
        note(text)
    note(
        f"exported {result.manifest['name']} to {exported.folder}: {len(exported.files)} files, explained in README.txt"
    )
    return 0


def _export_log(log: Path, folder: Path) -> int:
    from evalharness.serving.tables import MISSING, NEXT, export_log

    found = export_log(log, folder)
    if found.num_missing:
        warn(f"{found.num_missing} photos with a label were not kept (serve.keep), or are gone: {folder / MISSING}")
    note(f"{found.num_verdicts} verdicts, {found.num_labelled} photos with a label: {folder / NEXT}")
    return 0


def _parse(arguments: Sequence[str]) -> tuple[str, Path, str, list[str]]:
    values, runs, overrides = list(arguments), list[str](), list[str]()
    folder, map_format = None, "npz"
    while values:
        argument = values.pop(0)
        if argument == "--to" and values:
            folder = Path(values.pop(0))
        elif argument.startswith("-"):
            raise ConfigError("cannot be used here", got=argument, fix=USAGE)
        elif argument.startswith("maps="):
            map_format = argument.removeprefix("maps=")
        elif "=" in argument and not is_there(argument):
            overrides.append(argument)
        else:
            runs.append(argument)
    if len(runs) != 1 or folder is None:
        got = "no folder after --to" if folder is None else f"{len(runs)} results"
        raise ConfigError("nothing to export", expected="one result and a folder", got=got, fix=USAGE)
    return runs[0], folder, map_format, overrides
