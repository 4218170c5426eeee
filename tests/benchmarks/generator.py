"""Makes a store with very many failures, in the real schema, by SQL inside DuckDB: 1M in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from daemon.store.migrate import migrate, newest_version

NEWEST = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Time of the newest failure; the others lie in the 90 days before."""


def make_store(path: Path, failures: int, newest: datetime = NEWEST) -> None:
    """A new store at `path` with that many failures. Asserts that its tally counts them all."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    config: dict[str, Any] = {"default_block_size": "65536"}
    with duckdb.connect(str(partial), config=config) as connection:
        migrate(connection)
        for statement in _statements():
            values = {"n": failures, "last": newest.replace(tzinfo=None)}
            used = {name: value for name, value in values.items() if f"${name}" in statement}
            connection.execute(statement, used)
        _check(connection, failures)
        connection.execute("CHECKPOINT")
    partial.rename(path)


def cached_store(folder: Path, failures: int) -> Path:
    """The store of that size in `folder`, made when it is not there yet."""
    path = folder / f"failures-{failures}-v{newest_version()}.duckdb"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        make_store(path, failures)
    return path


def _statements() -> list[str]:
    text = (resources.files("tests.benchmarks") / "generator.sql").read_text("utf-8")
    return [statement.query for statement in duckdb.extract_statements(text)]


def _check(connection: duckdb.DuckDBPyConnection, failures: int) -> None:
    """The tally, taken apart and summed up, must be what the failures come to."""
    kind = "error_time::DATE AS day, pipeline, source, category, retryable, status, failure_group"
    differences = connection.execute(
        f"SELECT count(*) FROM (SELECT {kind}, count(*) AS n FROM failures GROUP BY ALL) AS f "
        "FULL JOIN failure_tally AS t USING (day, pipeline, source, category, retryable, status, "
        "failure_group) WHERE f.n IS DISTINCT FROM t.n"
    ).fetchone()
    total = connection.execute("SELECT count(*) FROM failures").fetchone()
    assert differences == (0,), f"{differences} cells of the tally are wrong"
    assert total == (failures,), f"{total} failures instead of {failures}"
