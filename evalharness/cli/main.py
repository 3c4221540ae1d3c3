"""Entry of the command line: finds the command, imports no more than it needs, and tells failures in one message."""

import errno
import os
import sys
from collections.abc import Callable, Sequence

from evalharness import __version__
from evalharness.errors import ConfigError, EvalHarnessError

HELP = f"""\
evalharness {__version__} evaluates fine-tuned Vision Transformers: the verdict, and
where the model looked.

usage: evalharness COMMAND [...]

commands:
  run [key=value ...]      evaluate one model on one CSV of images; with -m, a
                           sweep over comma-separated values
  demo                     evaluate the bundled example, audit it, show what
                           went wrong, and repair it (two to three minutes)
  compare RUN RUN...       compare finished runs (results folders, or MLflow run
                           ids) on the same images
  inspect IMAGE...         may the verdict on a single image be believed?
                           with its attention map (--run RUN, --json)
  serve --run RUN          a bench: the model loads once and judges photos all
                           day, at a page and for programs
  repair RUN repair.csv=CSV
                           mend the head of a run that relies on the wrong
                           thing, and prove it on the evaluated photos
  check [key=value ...]    validate config, CSV, images and weights without
                           evaluating; print the model's structure
  log RESULT               upload a results folder to MLflow (again)
  export RESULT --to DIR   write samples, maps and annotations for other tools,
                           or the log of a bench for the next evaluation
  ui                       open MLflow's UI on the configured store, on this
                           machine only

examples:
  evalharness check model.weights=run1.h5 dataset.csv=test.csv model.probe=64
  evalharness run model.weights=run1.h5 dataset.csv=test.csv
  evalharness run -m model.weights=run1.h5,run2.h5 dataset.csv=test.csv

`evalharness COMMAND --help` tells more of each, and the keys that it reads.
Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 finished, but a gate
did not hold.
"""


HELP_FLAGS = ("--help", "-h")


def _run(arguments: Sequence[str]) -> int:
    from evalharness.cli.run import run

    return run(arguments)


def _check(arguments: Sequence[str]) -> int:
    from evalharness.cli.check import check

    return check(arguments)


def _compare(arguments: Sequence[str]) -> int:
    from evalharness.cli.compare import compare

    return compare(arguments)


def _inspect(arguments: Sequence[str]) -> int:
    from evalharness.cli.inspect import inspect

    return inspect(arguments)


def _serve(arguments: Sequence[str]) -> int:
    from evalharness.cli.serve import serve

    return serve(arguments)


def _repair(arguments: Sequence[str]) -> int:
    from evalharness.cli.repair import repair

    return repair(arguments)


def _export(arguments: Sequence[str]) -> int:
    from evalharness.cli.export import export

    return export(arguments)


def _log(arguments: Sequence[str]) -> int:
    from evalharness.cli.store import log

    return log(arguments)


def _ui(arguments: Sequence[str]) -> int:
    from evalharness.cli.store import ui

    return ui(arguments)


def _demo(arguments: Sequence[str]) -> int:
    from evalharness.cli.demo import demo

    return demo(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "run": _run,
    "demo": _demo,
    "compare": _compare,
    "inspect": _inspect,
    "serve": _serve,
    "repair": _repair,
    "check": _check,
    "log": _log,
    "export": _export,
    "ui": _ui,
}
WITHOUT_FLAGS = ("compare", "demo", "log", "ui")
"""But for --help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Default: the command line.

    Returns:
        The exit code.
    """
    command, *rest = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if command == "--version":
        return _say(f"evalharness {__version__}\n")
    if command in ("help", *HELP_FLAGS):
        if not rest:
            return _say(HELP)
        command, *rest = [*rest, HELP_FLAGS[0]]
    if command in COMMANDS and set(HELP_FLAGS) & set(rest):
        from evalharness.cli.help import help_text

        return guarded(lambda: _say(help_text(command, rest)))
    if command not in COMMANDS:
        return _fail(
            ConfigError(
                "unknown command",
                expected=f"one of {', '.join(COMMANDS)}",
                got=command,
                fix="`evalharness --help` tells what each does",
            )
        )
    return guarded(lambda: _start(command, rest))


def _start(command: str, arguments: Sequence[str]) -> int:
    if command in WITHOUT_FLAGS:
        from evalharness.cli.flags import refuse_flags

        refuse_flags(command, arguments)
    return COMMANDS[command](arguments)


def guarded(command: Callable[[], int]) -> int:
    """Runs a command; what a user can mend ends as one message and an exit code, a bug keeps its traceback."""
    try:
        return command()
    except EvalHarnessError as error:
        return _fail(error)
    except KeyboardInterrupt:
        print("\ninterrupted; finished rows are kept, and the same command continues", file=sys.stderr)
        return 130
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail(
                EvalHarnessError(
                    "disk is full", where=error.filename, fix="Make room and repeat the command: finished rows are kept"
                )
            )
        if error.filename is None:
            raise
        return _fail(
            EvalHarnessError(
                "file or folder cannot be used",
                got=error.strerror,
                where=error.filename,
                fix="Check the paths of the command, such as output_dir and runs_dir, and their permissions",
            )
        )


def _say(text: str) -> int:
    """Prints on standard output, whose reader may have seen enough, such as `| head`."""
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        # Python would flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _fail(error: EvalHarnessError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return error.exit_code
