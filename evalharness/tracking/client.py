"""The one way to MLflow: without telemetry or chatter, with failures told in the user's terms."""

import logging
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evalharness.errors import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

QUIET_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
CHATTY_LOGGERS = ("mlflow.store.db.utils", "alembic")
MAX_REASON = 400
_OTHER_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")
"""MLflow calls the schema of a newer MLflow out of date as well."""
_PASSWORD = re.compile(r"://([^/@:]*):[^/@]*@")


def connect(uri: str) -> "MlflowClient":
    """A client of its own for one store; MLflow's global tracking URI stays as it is."""
    _silence()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def http_limits(*, timeout_s: int, max_retries: int) -> Iterator[None]:
    """Bounds how long MLflow waits for a server inside; its own default is minutes. What the user set stays."""
    limits = {"MLFLOW_HTTP_REQUEST_TIMEOUT": str(timeout_s), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(max_retries)}
    added = {name: value for name, value in limits.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def failures_told(what: str, uri: str, fix: str) -> Iterator[None]:
    """Turns what MLflow, its database, its server or the disk raise inside into a TrackingError.

    Args:
        what: What was being done, as a failure: "results cannot be uploaded".
        uri: The store.
        fix: What the user can do.
    """
    _silence()
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, RequestException, OSError) as error:
        other = _OTHER_SCHEMA.search(str(error))
        if other:
            raise _schema_error(what, other[1], uri) from error
        raise TrackingError(what, got=_reason(error), where=shown_uri(uri), fix=fix) from error


def shown_uri(uri: str) -> str:
    """The URI without its password."""
    return _PASSWORD.sub(r"://\1:***@", uri)


def one_line(text: str, limit: int = MAX_REASON) -> str:
    """Any text on one line of bounded length."""
    words = " ".join(text.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


def _silence() -> None:
    """Comes before every first import of MLflow, which reads the settings then."""
    for name, value in QUIET_SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _schema_error(what: str, revision: str, uri: str) -> TrackingError:
    """Another MLflow made the database.

    Args:
        what: What was being done, as a failure.
        revision: Of the database's schema.
        uri: The store.
    """
    from mlflow.version import VERSION

    if _is_known(revision):
        return TrackingError(
            what, got=f"a database of an older MLflow than the {VERSION} that is installed", where=shown_uri(uri),
            fix=f"Make a copy of it, then bring it up to date with `mlflow db upgrade {shown_uri(uri)}`",
        )  # fmt: skip
    return TrackingError(
        what,
        got=f"a database of a newer MLflow than the {VERSION} that is installed (its schema is {revision})",
        where=shown_uri(uri),
        fix="Set another tracking.uri=, or serve the database with the MLflow that wrote it (`mlflow server`) and set "
        "tracking.uri=http://...",
    )


def _is_known(revision: str) -> bool:
    """Whether the installed MLflow has a step that leads to this schema."""
    from importlib.resources import files

    steps = files("mlflow.store.db_migrations") / "versions"
    return any(step.name.startswith(f"{revision}_") for step in steps.iterdir())


def _reason(error: BaseException) -> str:
    """What went wrong underneath, where it is the network, the disk or the database; MLflow wraps these in layers."""
    chain = [error]
    while cause := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(cause)
    plainest = next((cause for cause in reversed(chain) if isinstance(cause, OSError | sqlite3.Error)), error)
    return one_line(shown_uri(str(plainest)) or type(plainest).__name__)
