"""Brings a database to the newest schema: numbered SQL files, each applied once in a transaction.

Those of the store itself come first. A ledger may bring a folder of its own, which is numbered by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

import duckdb

from daemon.errors import StoreTooNew, StoreUnavailable

MIGRATIONS = resources.files("daemon.store") / "migrations"

Further = Mapping[str, Traversable]
"""Folders of migrations beside the store's own, by the name of their ledger."""

_NONE: Further = {}


def newest_version(folder: Traversable = MIGRATIONS) -> int:
    """The schema version that this triaged reads and writes."""
    return len(_steps(folder))


def require_newest(
    connection: duckdb.DuckDBPyConnection,
    folder: Traversable = MIGRATIONS,
    further: Further = _NONE,
) -> None:
    """Makes sure that a database opened for reading has today's schema. Raises `StoreError`."""
    for prefix, steps in _all_steps(folder, further):
        present = _version(connection, prefix)
        if present > len(steps):
            raise _too_new(prefix, present, len(steps))
        if present < len(steps):
            raise StoreUnavailable(
                f"the database has schema version {prefix}{present}, and this triaged reads version "
                f"{prefix}{len(steps)}: start the daemon once, which upgrades it."
            )


def migrate(
    connection: duckdb.DuckDBPyConnection,
    folder: Traversable = MIGRATIONS,
    further: Further = _NONE,
) -> int:
    """Applies what is missing and returns the version reached of the store itself. Raises `StoreTooNew`."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER NOT NULL, name VARCHAR NOT NULL)"
    )
    missing = []
    for prefix, steps in _all_steps(folder, further):
        present = _version(connection, prefix)
        if present > len(steps):
            raise _too_new(prefix, present, len(steps))
        _require_same(connection, prefix, steps[:present])
        missing += [(n, prefix, step) for n, step in enumerate(steps, 1) if n > present]
    for version, prefix, step in missing:
        _apply(connection, version, prefix + step.name, step)
    return newest_version(folder)


def _all_steps(folder: Traversable, further: Further) -> Iterator[tuple[str, list[Traversable]]]:
    """Steps by what is put before their names."""
    yield "", _steps(folder)
    for name, its_folder in further.items():
        yield f"{name}/", _steps(its_folder)


def _version(connection: duckdb.DuckDBPyConnection, prefix: str) -> int:
    # Fetched to the end, or else the transaction would stay open as long as the connection.
    ((version,),) = connection.execute(
        "SELECT coalesce(max(version), 0) FROM schema_migrations "
        "WHERE starts_with(name, $prefix) AND NOT contains(substr(name, length($prefix) + 1), '/')",
        {"prefix": prefix},
    ).fetchall()
    return int(version)


def _require_same(
    connection: duckdb.DuckDBPyConnection, prefix: str, steps: list[Traversable]
) -> None:
    """That the database was brought here by the same steps. A test holds what is in each that was released."""
    applied = connection.execute(
        "SELECT name FROM schema_migrations WHERE starts_with(name, $prefix) "
        "AND NOT contains(substr(name, length($prefix) + 1), '/') ORDER BY version",
        {"prefix": prefix},
    ).fetchall()
    for (name,), step in zip(applied, steps, strict=False):
        if name != prefix + step.name:
            raise StoreUnavailable(
                f"the database was changed by another triaged: by {name}, where this one has {prefix}{step.name}. "
                "Start that version, or name another file as store.path. Nothing was changed."
            )


def _steps(folder: Traversable) -> list[Traversable]:
    return sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)


def _too_new(prefix: str, present: int, newest: int) -> StoreTooNew:
    return StoreTooNew(
        f"the database has schema version {prefix}{present}, but this triaged knows versions up to "
        f"{prefix}{newest}: it was written by a later version of triaged. Start that version, or name another file as "
        "store.path. Nothing was changed."
    )


def _apply(
    connection: duckdb.DuckDBPyConnection, version: int, name: str, step: Traversable
) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(step.read_text("utf-8"))
        connection.execute("INSERT INTO schema_migrations VALUES (?, ?)", [version, name])
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
