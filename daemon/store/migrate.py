"""Brings a database to the newest schema: numbered SQL files, each applied once in a transaction."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable

import duckdb

from daemon.errors import StoreTooNew

MIGRATIONS = resources.files("daemon.store") / "migrations"


def migrate(connection: duckdb.DuckDBPyConnection, folder: Traversable = MIGRATIONS) -> int:
    """Applies what is missing and returns the version reached. Raises `StoreTooNew`."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL)"
    )
    found = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()
    present = found[0] if found else 0
    steps = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    newest = len(steps)
    if present > newest:
        raise StoreTooNew(
            f"the database has schema version {present}, but this triaged knows versions up to "
            f"{newest}: it was written by a later version of triaged. Start that version, or name "
            "another file as store.path. Nothing was changed."
        )
    for version, step in enumerate(steps, start=1):
        if version > present:
            _apply(connection, version, step)
    return newest


def _apply(connection: duckdb.DuckDBPyConnection, version: int, step: Traversable) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(step.read_text("utf-8"))
        connection.execute("INSERT INTO schema_migrations VALUES (?, ?)", [version, step.name])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
