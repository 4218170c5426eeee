"""A store that an error has left unusable is opened anew, whoever reads it, and holds each event once (X3)."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from daemon.errors import StoreUnavailable
from daemon.store.database import Database
from daemon.store.export import failures_csv
from daemon.store.filters import FailureFilter
from daemon.store.reading import Need
from tests.unit.spine_support import (
    PATIENCE,
    Store,
    assert_counts_agree,
    failed,
    in_thread,
    store,
    wait_for,
)

ENDLESS = "SELECT count(*) FROM range(1_000_000_000_000_000) AS t(i) WHERE hash(i) = 0"
EARLIER = 4_000

pytestmark = [pytest.mark.requirement("X3"), pytest.mark.usefixtures("impatient")]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between two attempts to write that suit a test."""
    monkeypatch.setattr("daemon.store.writer.RETRY_SECONDS", (0.01,))


@contextmanager
def no_room_in(file: Path) -> Iterator[None]:
    """No file of this process may grow beyond the size of this one, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(target: Store) -> None:
    """Stores failures. A checkpoint follows every 200 kB or so from now on."""
    target.put(*(failed("run-1", f"item {n:05d} {'x' * 200}") for n in range(EARLIER)))
    with target.database.writer.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SET checkpoint_threshold = '200KB'")


def put_without_room(target: Store) -> int:
    """Stores more while the database cannot grow, till a commit succeeds and the checkpoint after it fails.

    Returns how many there are then.
    """
    count = EARLIER
    with no_room_in(target.database.path):
        while target.writer.trouble is None:
            count += 1
            position = target.writer.put(failed("run-2", f"later {count:05d} {'y' * 2_000}"))
            wait_for(lambda at=position: target.writer.wait(at, 0.01) or target.writer.trouble)
        assert "COMMIT succeeded" in target.writer.trouble.message
    return count


def assert_stored_once(target: Store, count: int) -> None:
    assert target.writer.flush(PATIENCE)
    assert target.writer.trouble is None
    counted = target.database.read().rows("SELECT count(*), count(DISTINCT item) FROM failures")
    assert counted == [(count, count)]
    assert len(target.events()) == count
    assert_counts_agree(target.database, target.writer.standing)


def test_a_batch_that_is_on_disk_though_its_commit_failed_is_stored_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with store(tmp_path) as target:
        fill(target)
        assert_stored_once(target, put_without_room(target))
    assert "could not be stored" not in caplog.text


def reading_for_long(database: Database) -> None:
    database.read().rows(ENDLESS)


def reporting_for_long(database: Database) -> None:
    database.read(Need.REPORT).rows(ENDLESS)


class Slow:
    """A client that takes what it asked for only once it may."""

    def __init__(self) -> None:
        self.has_begun, self.may_go_on = threading.Event(), threading.Event()

    def take(self, answer: Iterator[object]) -> None:
        next(answer)
        self.has_begun.set()
        assert self.may_go_on.wait(PATIENCE)
        for _ in answer:
            pass

    def rows(self, database: Database) -> None:
        self.take(database.read(Need.STREAM).stream("SELECT * FROM range(10_000_000)"))

    def csv(self, database: Database) -> None:
        self.take(failures_csv(database, FailureFilter()))

    def snapshot(self, database: Database) -> None:
        with database.read() as reader:
            self.take(iter(lambda: reader.row("SELECT 1"), None))


class Told:
    """A reader in a thread of its own, and what it was told at the end."""

    def __init__(self, read: Callable[[Database], None], database: Database) -> None:
        self.error: BaseException | None = None
        self._read, self._database = read, database
        self._thread = in_thread(self._go)

    def _go(self) -> None:
        try:
            self._read(self._database)
        except BaseException as error:  # noqa: BLE001 (to be looked at)
            self.error = error

    def assert_ended(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        assert isinstance(self.error, StoreUnavailable), self.error


@pytest.mark.parametrize("read", [reading_for_long, reporting_for_long])
def test_what_takes_long_is_ended_when_the_store_has_to_be_opened_anew(
    tmp_path: Path, read: Callable[[Database], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.store.reading.REPORT_SECONDS", PATIENCE)
    with store(tmp_path) as target:
        fill(target)
        reader = Told(read, target.database)
        wait_for(lambda: target.database.leases.lent)
        assert_stored_once(target, put_without_room(target))
        reader.assert_ended()


@pytest.mark.parametrize("kind", ["rows", "csv", "snapshot"])
def test_who_is_slow_to_take_an_answer_holds_up_nobody_and_is_told_that_it_broke_off(
    tmp_path: Path, kind: str
) -> None:
    slow = Slow()
    with store(tmp_path) as target:
        fill(target)
        reader = Told(getattr(slow, kind), target.database)
        assert slow.has_begun.wait(PATIENCE)
        assert_stored_once(target, put_without_room(target))
        slow.may_go_on.set()
        reader.assert_ended()


def test_a_store_that_upkeep_has_left_unusable_is_opened_anew_though_nothing_is_to_be_stored(
    tmp_path: Path,
) -> None:
    with store(tmp_path) as target:
        fill(target)

        def too_much(connection: duckdb.DuckDBPyConnection) -> None:
            connection.execute(
                "INSERT INTO run_log SELECT '', now(), '', md5(range::VARCHAR), 1 FROM range(9000)"
            )

        with no_room_in(target.database.path):
            target.writer.do(too_much)
            wait_for(lambda: target.writer.trouble)
        wait_for(lambda: target.writer.trouble is None)
        assert target.database.read().row("SELECT count(*) FROM failures") == (EARLIER,)


def test_a_store_is_closed_under_those_who_read_it(tmp_path: Path) -> None:
    slow = Slow()
    with store(tmp_path) as target:
        fill(target)
        readers = [Told(reading_for_long, target.database), Told(slow.rows, target.database)]
        wait_for(lambda: target.database.leases.lent == len(readers))
        assert slow.has_begun.wait(PATIENCE)
    slow.may_go_on.set()
    for reader in readers:
        reader.assert_ended()
