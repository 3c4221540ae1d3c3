"""The command line in the process of the tests, where that it is a process of its own is not the point.

A process imports TensorFlow and MLflow anew, which takes longer than most commands do.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from evalharness.cli.main import main


def run_here(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """What `python -m evalharness ARGUMENTS` would end with and print; an exception that leaves it fails the test."""
    command = [str(argument) for argument in arguments]
    out, err = StringIO(), StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err), _left_as_it_was():
        try:
            code = main(command)
        except SystemExit as ending:
            code = ending.code or 0
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Hydra is started as the owner of the process: it takes the arguments, the environment and the root logger."""
    root = logging.getLogger()
    arguments, environment, handlers, level = sys.argv, dict(os.environ), root.handlers[:], root.level
    try:
        # It would close the handlers of all others, and TensorFlow's closes the standard error of pytest with it.
        with mock.patch.object(logging, "shutdown"):
            yield
    finally:
        sys.argv = arguments
        os.environ.clear()
        os.environ.update(environment)
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
