"""Brings a database to the newest schema: numbered SQL files, each applied once in a transaction."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

import duckdb

from daemon.errors import StoreTooNew, StoreUnavailable

MIGRATIONS = resources.files("daemon.store") / "migrations"


def newest_version(folder: Traversable = MIGRATIONS) -> int:
    """The schema version that this triaged reads and writes."""
    return len(_steps(folder))


def require_newest(connection: duckdb.DuckDBPyConnection, folder: Traversable = MIGRATIONS) -> None:
    """Makes sure that a database opened for reading has today's schema. Raises `StoreError`."""
    present = _version(connection)
    newest = newest_version(folder)
    if present > newest:
        raise _too_new(present, newest)
    if present < newest:
        raise StoreUnavailable(
            f"the database has schema version {present}, and this triaged reads version {newest}: "
            "start the daemon once, which upgrades it."
        )


def migrate(connection: duckdb.DuckDBPyConnection, folder: Traversable = MIGRATIONS) -> int:
    """Applies what is missing and returns the version reached. Raises `StoreTooNew`."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL)"
    )
    present = _version(connection)
    steps = _steps(folder)
    newest = len(steps)
    if present > newest:
        raise _too_new(present, newest)
    for version, step in enumerate(steps, start=1):
        if version > present:
            _apply(connection, version, step)
    return newest


def _version(connection: duckdb.DuckDBPyConnection) -> int:
    # Fetched to the end, or else the transaction would stay open as long as the connection.
    ((version,),) = connection.execute(
        "SELECT coalesce(max(version), 0) FROM schema_migrations"
    ).fetchall()
    return int(version)


def _steps(folder: Traversable) -> list[Traversable]:
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)


def _too_new(present: int, newest: int) -> StoreTooNew:
    return StoreTooNew(
        f"the database has schema version {present}, but this triaged knows versions up to {newest}: "
        "it was written by a later version of triaged. Start that version, or name another file as "
        "store.path. Nothing was changed."
    )


def _apply(connection: duckdb.DuckDBPyConnection, version: int, step: Traversable) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(step.read_text("utf-8"))
        connection.execute("INSERT INTO schema_migrations VALUES (?, ?)", [version, step.name])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
