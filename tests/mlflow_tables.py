"""New MLflow stores with the tables of an earlier one: MLflow migrates each through its history, a second of work."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import sqlalchemy

_tables: list[sqlite3.Connection] = []
"""A database in memory with the tables of this process's first store, which MLflow has made."""


@contextmanager
def tables_are_copied() -> Iterator[None]:
    """MLflow makes the tables of the first store of the process; while this lasts, empty ones are given a copy."""
    from mlflow.store.db import utils

    create = utils._initialize_tables

    def create_or_copy(engine):
        is_empty_file = engine.dialect.name == "sqlite" and not sqlalchemy.inspect(engine).get_table_names()
        if not is_empty_file or not _tables:
            create(engine)
        with closing(engine.raw_connection()) as connection:
            store = connection.driver_connection
            if is_empty_file and _tables:
                _tables[0].backup(store)
            elif is_empty_file:
                _tables.append(sqlite3.connect(":memory:"))
                store.backup(_tables[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_initialize_tables", create_or_copy)
        yield
