"""Opening, upgrading and keeping a store: nothing is changed by halves, and trouble is told in words."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from daemon import events
from daemon.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew, StoreUnavailable
from daemon.store import upkeep
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.filters import FailureFilter
from daemon.store.migrate import migrate, require_newest
from daemon.store.runs import RunFilter
from daemon.store.standing import Standing
from daemon.taxonomy import GroupDecision, RunStatus
from tests.unit.spine_support import (
    LEDGERS,
    MEMORY,
    START,
    assert_counts_agree,
    ended,
    failed,
    insert,
    started,
    store,
    succeeded,
)


def version(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute("SELECT max(version) FROM schema_migrations").fetchone()
    assert found is not None
    return int(found[0] or 0)


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """A folder of migrations."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_first.sql").write_text("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1);")
    return folder


# --- migrations --------------------------------------------------------------------------------


def test_an_older_database_is_upgraded_and_keeps_what_it_holds(steps: Path) -> None:
    with duckdb.connect() as connection:
        assert migrate(connection, steps) == 1
        connection.execute("INSERT INTO t VALUES (2)")
        (steps / "0002_second.sql").write_text("ALTER TABLE t ADD COLUMN b VARCHAR;")
        (steps / "0003_third.sql").write_text("UPDATE t SET b = 'x';")
        assert migrate(connection, steps) == 3
        assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == [(1, "x"), (2, "x")]
        assert connection.execute("SELECT * FROM schema_migrations ORDER BY 1").fetchall() == [
            (1, "0001_first.sql"),
            (2, "0002_second.sql"),
            (3, "0003_third.sql"),
        ]


def test_a_migration_is_applied_once(steps: Path) -> None:
    with duckdb.connect() as connection:
        for _ in range(3):
            assert migrate(connection, steps) == 1
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)


@pytest.mark.requirement("X3")
def test_a_newer_database_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    Database(path, memory_limit=MEMORY).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (9999, 'from the future')")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match=r"9999.*later version"):
            Database(path, memory_limit=MEMORY, read_only=read_only)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_version_before_it_whole(steps: Path) -> None:
    (steps / "0002_good.sql").write_text("CREATE TABLE u (a INTEGER);")
    (steps / "0003_bad.sql").write_text(
        "CREATE TABLE v (a INTEGER); INSERT INTO nowhere VALUES (1);"
    )
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error):
            migrate(connection, steps)
        assert version(connection) == 2
        tables = {
            name
            for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
        assert tables == {"t", "u", "schema_migrations"}
        (steps / "0003_bad.sql").write_text("CREATE TABLE v (a INTEGER);")
        assert migrate(connection, steps) == 3


@pytest.fixture
def further(tmp_path: Path) -> Path:
    """Migrations that a ledger brings; they need those of the store."""
    folder = tmp_path / "further"
    folder.mkdir()
    (folder / "0001_things.sql").write_text("CREATE TABLE things AS SELECT a FROM t;")
    return folder


def test_migrations_of_ledgers_come_after_those_of_the_store_and_have_numbers_of_their_own(
    steps: Path, further: Path
) -> None:
    with duckdb.connect() as connection:
        assert migrate(connection, steps, {"things": further}) == 1
        (steps / "0002_second.sql").write_text("INSERT INTO t VALUES (2);")
        (further / "0002_more.sql").write_text("INSERT INTO things SELECT max(a) FROM t;")
        for _ in range(2):
            assert migrate(connection, steps, {"things": further}) == 2
        assert connection.execute("SELECT a FROM things ORDER BY a").fetchall() == [(1,), (2,)]
        assert connection.execute("SELECT * FROM schema_migrations").fetchall() == [
            (1, "0001_first.sql"),
            (1, "things/0001_things.sql"),
            (2, "0002_second.sql"),
            (2, "things/0002_more.sql"),
        ]
        assert migrate(connection, steps) == 2  # a triaged that does not have the ledger


def test_a_store_that_lacks_or_is_ahead_of_a_ledgers_migrations_is_not_read(
    steps: Path, further: Path
) -> None:
    with duckdb.connect() as connection:
        migrate(connection, steps)
        with pytest.raises(StoreUnavailable, match=r"version things/0.*version things/1"):
            require_newest(connection, steps, {"things": further})
        migrate(connection, steps, {"things": further})
        require_newest(connection, steps, {"things": further})
        (further / "0001_things.sql").unlink()
        with pytest.raises(StoreTooNew, match="version things/1"):
            require_newest(connection, steps, {"things": further})
        with pytest.raises(StoreTooNew, match="version things/1"):
            migrate(connection, steps, {"things": further})


def test_todays_schema_is_reached_by_all_its_migrations(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    found = database.read().rows("SELECT version, name FROM schema_migrations ORDER BY version")
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    assert all(name.startswith(f"{number:04d}_") for number, name in found)
    database.close()


def test_an_old_database_cannot_be_read_without_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    Database(path, memory_limit=MEMORY).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE version > 1")
    with pytest.raises(StoreUnavailable, match="start the daemon once"):
        Database(path, memory_limit=MEMORY, read_only=True)


# --- opening -----------------------------------------------------------------------------------


@pytest.mark.requirement("X3")
@pytest.mark.parametrize("content", [b"not a database" * 1000, b"\0" * 20_000])
def test_a_file_that_is_no_database_is_told_and_not_touched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.duckdb"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match="damaged or is not a DuckDB database"):
        Database(path, memory_limit=MEMORY)
    assert path.read_bytes() == content


@pytest.mark.requirement("X3")
def test_a_database_that_another_process_has_open_is_told_with_that_process(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.duckdb"
    Database(path, memory_limit=MEMORY).close()
    holds = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked, match=f"process {other.pid}"):
            Database(path, memory_limit=MEMORY)
        other.communicate(b"\n")
    Database(path, memory_limit=MEMORY).close()


def test_a_place_where_no_database_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "file" / "store.duckdb"):
        with pytest.raises(StoreError, match=r"cannot be opened|damaged"):
            Database(path, memory_limit=MEMORY)
    with pytest.raises(StoreUnavailable):
        Database(tmp_path / "none" / "store.duckdb", memory_limit=MEMORY, read_only=True)
    assert not (tmp_path / "none").exists()


def test_a_database_is_read_while_it_is_written(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    count = "SELECT count(*) FROM failures"
    with database.read() as one, database.read() as other:
        assert one.row(count) == other.row(count) == (0,)
        insert(database, [failed("run", "a")])
        assert database.read().row(count) == (1,)
        assert one.row(count) == other.row(count) == (0,)
    assert database.size() > 0
    database.close()


def test_a_database_opens_anew_with_all_it_held(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    insert(database, [failed("run", "a")])
    database.reopen()
    database.writer.close()
    database.reopen()
    assert database.read().rows("SELECT item FROM failures") == [("a",)]
    database.close()
    assert not list(tmp_path.glob("*.wal"))


# --- upkeep ------------------------------------------------------------------------------------


def test_expiry_forgets_old_days_of_everything_but_what_still_goes_on(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    old, new = START - timedelta(days=10), START
    insert(
        database,
        [
            *(started("run-old", old), failed("run-old", "a", old)),
            ended("run-old", RunStatus.FAILED, old),
            *(started("run-mend", old), succeeded("run-mend", "a", old)),
            ended("run-mend", at=old),
            *(started("run-open", old), failed("run-open", "c", old)),
            ended("run-open", RunStatus.FAILED, old),
            started("run-long", old),
            *(started("run-new", new), failed("run-new", "b", new), ended("run-new", at=new)),
        ],
    )
    upkeep.expire(database.writer, LEDGERS, START, timedelta(days=5))
    assert database.read().rows("SELECT run_id FROM runs ORDER BY 1") == [
        ("run-long",),
        ("run-new",),
        ("run-open",),
    ]
    kept = database.read().rows("SELECT item FROM failures ORDER BY 1")
    assert kept == [("b",), ("c",)], "what is open stays, or its source would be green"
    groups = database.read().rows("SELECT failure_group FROM failure_groups")
    assert groups == database.read().rows("SELECT DISTINCT failure_group FROM failures")
    assert_counts_agree(database)
    database.close()


@pytest.mark.requirement("I2")
@pytest.mark.parametrize(
    ("decision", "left"),
    [(None, 1), (GroupDecision.IGNORED, 0), (GroupDecision.RESOLVED, 0)],
)
def test_an_open_failure_is_kept_till_a_person_has_dealt_with_it(
    tmp_path: Path, decision: GroupDecision | None, left: int
) -> None:
    old = START - timedelta(days=10)
    with store(tmp_path) as target:
        target.put(started("run-1", old), failed("run-1", "a", old))
        target.put(ended("run-1", RunStatus.FAILED, old))
        if decision is not None:
            (record,) = target.failures.page(FailureFilter(), 1).failures
            group = record.failure_group
            event = events.GroupDecided(
                at=START, failure_group=group, decision=decision, as_of=START
            )
            target.put(Entry(event))
        for _ in range(2):
            upkeep.expire(target.database.writer, LEDGERS, START, timedelta(days=5))
        assert target.failures.total(FailureFilter()) == left
        assert sum(Standing.read(target.database).open().values()) == left
        assert len(target.runs.page(RunFilter(), 10).runs) == left
        assert_counts_agree(target.database)


def test_upkeep_sums_the_tally_up_and_changes_no_count(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        for n in range(6):
            target.put(failed(f"run-{n}", "a"), failed(f"run-{n}", f"{n}"))
        target.put(succeeded("run-9", "a"))
        before = Standing.read(target.database).open()
        rows = "SELECT count(*) FROM failure_tally"
        ((many,),) = target.database.read().rows(rows)
        upkeep.expire(target.database.writer, LEDGERS, START, timedelta(days=5))
        ((few,),) = target.database.read().rows(rows)
        assert few < many
        assert few == 2
        assert Standing.read(target.database).open() == before
        assert_counts_agree(target.database, target.writer.standing)


def test_only_days_with_several_rows_for_the_same_are_summed_up(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    days = [START - timedelta(days=n) for n in range(4)]
    for number, day in enumerate((*days, days[1], days[3])):
        insert(database, [failed(f"run-{number}", f"{number}", day)], first_id=number + 1)
    by_day = "SELECT day, count(*), sum(n)::BIGINT, min(rowid) FROM failure_tally GROUP BY day ORDER BY day"
    before = database.read().rows(by_day)
    assert [(rows, n) for _, rows, n, _ in before] == [(2, 2), (1, 1), (2, 2), (1, 1)]
    upkeep.expire(database.writer, LEDGERS, START, timedelta(days=30))
    after = database.read().rows(by_day)
    assert [(rows, n) for _, rows, n, _ in after] == [(1, 2), (1, 1), (1, 2), (1, 1)]
    assert [after[1], after[3]] == [before[1], before[3]], "the others are left as they are"
    assert_counts_agree(database)
    database.close()


def test_upkeep_goes_on_while_somebody_reads(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    old = START - timedelta(days=9)
    insert(database, [failed("run", "a", old), succeeded("run-2", "a", old), failed("run", "b")])
    with database.read() as snapshot:
        assert snapshot.rows("SELECT count(*) FROM failures") == [(2,)]
        upkeep.expire(database.writer, LEDGERS, START, timedelta(days=5))
        assert snapshot.rows("SELECT count(*) FROM failures") == [(2,)]
    assert database.read().rows("SELECT count(*) FROM failures") == [(1,)]
    assert_counts_agree(database)
    database.close()
