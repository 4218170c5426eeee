"""How much memory DuckDB may use at the moment, and when it is made to give back what it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from daemon.errors import StoreUnavailable
from daemon.store import memory
from daemon.store.database import Database
from daemon.store.failures import paged
from daemon.store.memory import KEPT_BYTES, PAGE_BYTES, Memory
from daemon.store.reading import Reader
from daemon.store.statements import Statements
from tests.support.product import wait_for

MOST = 64_000_000
LARGE = "SELECT length(string_agg(md5(i::VARCHAR), '')) FROM range(150_000) AS t(i)"
"""Needs some 20 MB, which cannot be put aside on disk."""


class Limited:
    """A database whose limits are noted, in the order in which they are set."""

    def __init__(self) -> None:
        self.root = duckdb.connect(config={"memory_limit": f"{MOST}B", "threads": 1})
        self.memory = Memory(self._connect, self, MOST)  # type: ignore[arg-type]
        self.limits: list[int] = []

    def _connect(self) -> duckdb.DuckDBPyConnection:
        return self.root.cursor()

    def execute(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        self.limits.append(int(sql.split("'")[1].removesuffix("B")))
        Statements().execute(connection, sql)


@pytest.fixture
def database() -> Iterator[Limited]:
    limited = Limited()
    yield limited
    limited.root.close()


def test_memory_is_given_back_when_the_last_user_leaves(database: Limited) -> None:
    with database.memory.use():
        with database.memory.use():
            pass
        assert database.limits == []
    assert database.limits == [KEPT_BYTES, PAGE_BYTES]
    with database.memory.use():
        assert database.limits[2:] == [MOST]


def test_memory_stays_while_the_writer_goes_on_and_not_after_its_last_batch(
    database: Limited,
) -> None:
    with database.memory.use(again=True):
        pass
    assert database.limits == []
    with database.memory.use():
        pass
    assert database.limits == [KEPT_BYTES, PAGE_BYTES]


def test_a_use_that_fails_gives_memory_back_whatever_was_to_follow(database: Limited) -> None:
    with pytest.raises(duckdb.OutOfMemoryException), database.memory.use(again=True):
        raise duckdb.OutOfMemoryException
    assert database.limits == [KEPT_BYTES, PAGE_BYTES]


def test_each_page_has_room_of_its_own_and_none_is_taken_from_a_larger_question(
    database: Limited,
) -> None:
    with database.memory.page():
        with database.memory.page():
            assert database.limits == [PAGE_BYTES, 2 * PAGE_BYTES]
            with database.memory.use():
                assert database.limits[2:] == [MOST]
            assert database.limits[3:] == [2 * PAGE_BYTES]
        assert database.limits[4:] == [PAGE_BYTES]


def test_what_pages_leave_is_given_back_before_a_larger_question(database: Limited) -> None:
    with database.memory.page():
        pass
    with database.memory.use():
        assert database.limits == [PAGE_BYTES, KEPT_BYTES, MOST]


def test_what_pages_leave_is_taken_from_nobody_who_is_at_it(database: Limited) -> None:
    with database.memory.use():  # such as a commit
        with database.memory.page():
            pass
        with database.memory.use():
            pass
        assert KEPT_BYTES not in database.limits
    assert database.limits[-2:] == [KEPT_BYTES, PAGE_BYTES]


def test_what_pages_leave_is_given_back_once_nobody_asks(
    database: Limited, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "IDLE_SECONDS", 0.01)
    with database.memory.page():
        pass
    wait_for(lambda: database.limits == [PAGE_BYTES, KEPT_BYTES, PAGE_BYTES])


def test_a_question_that_needs_more_than_a_page_is_asked_again_with_all_there_is(
    tmp_path: Path,
) -> None:
    store = Database(tmp_path / "store.duckdb", memory_limit=MOST)
    asked: list[Reader] = []

    def large(reader: Reader) -> object:
        asked.append(reader)
        return reader.row(LARGE)

    with store.read():  # the limit is low after it
        pass
    assert paged(store, large) == (4_800_000,)
    assert len(asked) == 2
    assert paged(store, lambda reader: reader.row("SELECT 1")) == (1,)
    store.close()


def test_a_question_that_needs_more_than_there_is_says_so(tmp_path: Path) -> None:
    store = Database(tmp_path / "store.duckdb", memory_limit=PAGE_BYTES)
    with pytest.raises(StoreUnavailable):
        paged(store, lambda reader: reader.row(LARGE))
    assert store.read().row("SELECT 1") == (1,)
    store.close()


def test_a_limit_that_could_not_be_set_is_set_again(database: Limited) -> None:
    with database.memory.use():
        database.root.execute("CREATE TEMP TABLE kept AS SELECT range AS i FROM range(10)")
        root, database.root = database.root, duckdb.connect()
        database.root.close()
    assert database.limits == [], "nobody answers"
    database.root = root
    with database.memory.use():
        assert database.limits == [MOST]
