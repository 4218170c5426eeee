"""A store of an earlier version is upgraded with every row kept, whatever migrations have come since."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from daemon.store.migrate import MIGRATIONS, migrate, newest_version

OLDEST = 9
"""Schema of the first version that people run; earlier steps have tests of their own."""

VALUES: dict[str, Any] = {
    "VARCHAR": "ümlaut \N{SNOWMAN} ' line\nbreak",
    "INTEGER": 2**31 - 1,
    "BIGINT": -(2**63) + 1,
    "UBIGINT": 2**64 - 1,
    "BOOLEAN": True,
    "DOUBLE": 0.1,
    "TIMESTAMP": datetime(2026, 11, 22, 4, 1, 56, 123456),  # noqa: DTZ001 (as DuckDB keeps it)
    "DATE": date(2026, 11, 22),
    "BLOB": b"\x00\xff",
    "BIGINT[]": [1, 2, 3],
    "VARCHAR[]": ["a", "b"],
}


def tables(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """The columns of every table with their types, but for the record of migrations."""
    found: dict[str, dict[str, str]] = {}
    rows = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'main' AND table_name <> 'schema_migrations' ORDER BY ordinal_position"
    ).fetchall()
    for table, column, kind in rows:
        found.setdefault(table, {})[column] = kind
    return found


def older(folder: Path, version: int) -> Path:
    """The migrations as that version had them."""
    folder.mkdir()
    steps = sorted((s for s in MIGRATIONS.iterdir() if s.name.endswith(".sql")), key=str)
    for step in steps[:version]:
        (folder / step.name).write_text(step.read_text("utf-8"))
    return folder


@pytest.mark.parametrize("version", range(OLDEST, newest_version() + 1))
def test_every_row_of_an_older_store_is_kept(tmp_path: Path, version: int) -> None:
    with duckdb.connect(str(tmp_path / "triaged.duckdb")) as connection:
        assert migrate(connection, older(tmp_path / "older", version)) == version
        before = tables(connection)
        assert {"failures", "runs", "files", "messages", "accounts", "audit"} <= set(before)
        rows = {}
        for table, columns in before.items():
            row = [VALUES[kind] for kind in columns.values()]
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)
            rows[table] = connection.execute(f"SELECT * FROM {table}").fetchall()

        assert migrate(connection) == newest_version()

        for table, columns in before.items():
            names = ", ".join(f'"{name}"' for name in columns)
            assert connection.execute(f"SELECT {names} FROM {table}").fetchall() == rows[table]
