"""Queries are parsed once, however often they are asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from daemon.store.database import Database
from daemon.store.sql import SQL
from daemon.store.statements import MOST, Statements
from tests.support.product import ROOT


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        yield connection


def test_a_query_answers_each_set_of_parameters(cursor: duckdb.DuckDBPyConnection) -> None:
    statements = Statements()
    answers = [
        statements.execute(cursor, "SELECT ? + 1", [number]).fetchall() for number in range(3)
    ]
    assert answers == [[(1,)], [(2,)], [(3,)]]


def test_more_queries_than_are_kept_are_all_answered(cursor: duckdb.DuckDBPyConnection) -> None:
    statements = Statements()
    for number in [*range(MOST + 5), *range(MOST + 5)]:
        assert statements.execute(cursor, f"SELECT {number}").fetchone() == (number,)


def test_a_query_that_was_parsed_sees_what_the_tables_have_become(
    cursor: duckdb.DuckDBPyConnection,
) -> None:
    statements = Statements()
    cursor.execute("CREATE TABLE things (a INTEGER)")
    assert statements.execute(cursor, "SELECT * FROM things").fetchall() == []
    cursor.execute("ALTER TABLE things ADD COLUMN b VARCHAR DEFAULT 'new'")
    cursor.execute("INSERT INTO things (a) VALUES (1)")
    assert statements.execute(cursor, "SELECT * FROM things").fetchall() == [(1, "new")]


def test_several_readers_ask_the_same_query_at_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=64_000_000)
    with ThreadPoolExecutor(4) as threads:
        asked = range(200)
        found = threads.map(
            lambda number: database.read().row("SELECT ?::INTEGER", [number]), asked
        )
        assert list(found) == [(number,) for number in asked]
    database.close()


def test_every_statement_has_a_name_of_its_own_and_a_line_that_says_what_it_is() -> None:
    texts = [file.read_text() for file in sorted((ROOT / "daemon/store/sql").glob("*.sql"))]
    found = [
        line for text in texts for line in re.findall(r"^-- name: (\w+)\n-- \S", text, re.MULTILINE)
    ]
    assert sorted(found) == sorted(SQL)
    assert len(found) == sum(text.count("-- name:") for text in texts)
