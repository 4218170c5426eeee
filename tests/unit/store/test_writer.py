"""The writer loses nothing, lets nothing hold up the rest, and counts exactly, however events arrive."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.clock import FakeClock
from daemon.errors import RecorderClosed
from daemon.item_key import item_key
from daemon.store import upkeep
from daemon.store.database import Database
from daemon.store.entries import Committed, Entry
from daemon.store.standing import Standing
from daemon.store.writer import Writer
from daemon.taxonomy import Category, FileStatus, RunStatus
from tests.unit.spine_support import (
    LEDGERS,
    MEMORY,
    PATIENCE,
    START,
    Store,
    assert_counts_agree,
    assessed,
    ended,
    facts,
    failed,
    in_thread,
    marked,
    started,
    store,
    succeeded,
    wait_for,
    who,
)

SOURCES = ("orders", "events")
ITEMS = ("a.csv", "b.csv", None)
CATEGORIES = (Category.UNKNOWN, Category.CONNECTION, Category.SCHEMA_MISMATCH)
MARKS = (FileStatus.RETRYING, FileStatus.QUARANTINED, FileStatus.IGNORED)


class Failure(NamedTuple):
    """A failure as it should be stored."""

    source: str
    item: str | None
    run: str
    category: str
    attempt: int
    status: str


class Model:
    """What the events should come to, told without a database."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def fail(self, source: str, item: str | None, run: str, category: str) -> None:
        unresolved = [f for f in self._of(source, item) if f.status != "resolved"]
        own = [f.attempt for f in unresolved if f.run == run]
        attempt = own[0] if own else max((f.attempt for f in unresolved), default=0) + 1
        self.decide(source, item, run, "retrying")
        self.failures.append(Failure(source, item, run, category, attempt, "open"))

    def decide(self, source: str, item: str | None, run: str | None, status: str) -> None:
        for n, failure in enumerate(self.failures):
            same = (failure.source, failure.item) == (source, item) and failure.run != run
            if same and failure.status != "resolved":
                self.failures[n] = failure._replace(status=status)

    def _of(self, source: str, item: str | None) -> list[Failure]:
        return [f for f in self.failures if (f.source, f.item) == (source, item)]


class Step(NamedTuple):
    """One run of a source with what happened in it, or what a person decided."""

    source: str
    outcomes: list[tuple[str | None, Category | None]]
    """Items with the category of their failure, None where they succeeded."""
    status: RunStatus
    mark: tuple[str, FileStatus] | None
    """Decided in the middle of the run."""


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(SOURCES),
        st.lists(
            st.tuples(st.sampled_from(ITEMS), st.sampled_from((None, *CATEGORIES))), max_size=4
        ),
        st.sampled_from((RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED)),
        st.none() | st.tuples(st.sampled_from(("a.csv", "b.csv")), st.sampled_from(MARKS)),
    ),
    min_size=1,
    max_size=6,
)


def play(steps: Sequence[Step]) -> tuple[list[Entry], Model]:
    """The events of the steps, and what they should come to."""
    entries: list[Entry] = []
    model = Model()
    clock = FakeClock(START)
    for number, step in enumerate(steps):
        run = f"run-{number:02d}"
        clock.advance(6 * 3600)
        entries.append(started(run, clock.now(), source=step.source))
        for count, (item, category) in enumerate(step.outcomes):
            if step.mark is not None and count == 1:
                path, status = step.mark
                entries.append(mark(step.source, path, status, clock))
                model.decide(step.source, path, None, status.value)
            entries += play_outcome(step.source, run, item, category, clock, model)
        entries.append(ended(run, step.status, clock.now(), source=step.source))
        if step.status is not RunStatus.FAILED:
            model.decide(step.source, None, run, "resolved")
    return entries, model


def play_outcome(
    source: str,
    run: str,
    item: str | None,
    category: Category | None,
    clock: FakeClock,
    model: Model,
) -> list[Entry]:
    file = None if item is None else facts(item)
    if category is not None:
        model.fail(source, item, run, category.value)
        assessment = assessed(category=category)
        return [failed(run, item, clock.now(), source=source, assessment=assessment, facts=file)]
    if item is None:
        return []
    model.decide(source, item, run, "resolved")
    return [succeeded(run, item, clock.now(), source=source, facts=file)]


def mark(source: str, path: str, status: FileStatus, clock: FakeClock) -> Entry:
    return marked(status, path, at=clock.now(), source=source)


def stored_failures(database: Database) -> list[Failure]:
    rows = database.read().rows(
        "SELECT source, item, run_id, category, attempt, status FROM failures ORDER BY id"
    )
    return [Failure(*row) for row in rows]


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """All that is stored, but for waiting times that are left to chance."""
    return {
        table: database.read().rows(f"SELECT * EXCLUDE (retry_at) FROM {table} ORDER BY ALL")
        for table in ("failures", "files")
    } | {
        table: database.read().rows(f"SELECT * FROM {table} ORDER BY ALL")
        for table in ("runs", "failure_groups", "run_log")
    }


def batches(entries: list[Entry], cuts: set[int]) -> Iterator[list[Entry]]:
    bounds = [0, *sorted(cut for cut in cuts if 0 < cut < len(entries)), len(entries)]
    for first, last in itertools.pairwise(bounds):
        yield entries[first:last]


@pytest.mark.requirement("X3")
@settings(max_examples=10, deadline=None)
@given(steps=steps, cuts=st.sets(st.integers(1, 30)))
def test_what_is_stored_follows_from_the_events_and_not_from_how_they_are_batched(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], cuts: set[int]
) -> None:
    entries, model = play(steps)
    results = []
    for division in (set(range(len(entries))), cuts, set[int]()):
        with store(tmp_path_factory.mktemp("store")) as target:
            for batch in batches(entries, division):
                target.put(*batch)
            assert stored_failures(target.database) == model.failures
            assert_counts_agree(target.database, target.writer.standing)
            assert_counts_agree(target.database, Standing.read(target.database))
            assert target.writer.errors == 0
            results.append(everything(target.database))
    assert results[0] == results[1] == results[2]


@settings(max_examples=8, deadline=None)
@given(steps=steps)
def test_only_failures_of_the_latest_run_that_failed_on_an_item_are_open(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    entries, _ = play(steps)
    with store(tmp_path_factory.mktemp("store")) as target:
        target.put(*entries)
        latest: dict[tuple[str, str | None], str] = {}
        for failure in stored_failures(target.database):
            latest[failure.source, failure.item] = failure.run
        for failure in stored_failures(target.database):
            if failure.status == "open":
                assert latest[failure.source, failure.item] == failure.run


def test_a_success_resolves_the_earlier_failures_of_its_item_and_nothing_else(
    tmp_path: Path,
) -> None:
    with store(tmp_path) as target:
        target.put(
            failed("run-1", "a.csv"),
            failed("run-1", "a.csv", source="events"),
            failed("run-1", "b.csv"),
            failed("run-1", None),
            succeeded("run-2", "a.csv"),
            failed("run-3", "a.csv"),
        )
        found = {(f.source, f.item, f.run): f.status for f in stored_failures(target.database)}
        assert found == {
            ("orders", "a.csv", "run-1"): "resolved",
            ("events", "a.csv", "run-1"): "open",
            ("orders", "b.csv", "run-1"): "open",
            ("orders", None, "run-1"): "open",
            ("orders", "a.csv", "run-3"): "open",
        }


def test_attempts_count_runs_and_not_causes_and_start_anew_after_a_success(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.put(failed("run-1", "a.csv"))
        target.put(
            failed("run-1", "a.csv"),
            failed("run-2", "a.csv"),
            failed("run-2", "a.csv"),
            failed("run-3", "a.csv"),
            succeeded("run-4", "a.csv"),
            failed("run-5", "a.csv"),
        )
        attempts = [(f.run, f.attempt) for f in stored_failures(target.database)]
        assert attempts == [
            *(("run-1", 1), ("run-1", 1), ("run-2", 2), ("run-2", 2), ("run-3", 3)),
            ("run-5", 1),
        ]


def test_keys_of_items_stay_as_they_are_since_stored_failures_are_found_by_them() -> None:
    assert item_key("mail", "support", None) == 15150530067050084215
    assert item_key("mail", "support", "") == 6616286998179954475
    assert item_key("mail", "support", "größe\ud800.csv") == 12468842695327638407


def test_a_run_that_succeeds_resolves_what_failed_earlier_as_a_whole(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.put(failed("run-1", None), ended("run-1", RunStatus.FAILED))
        target.put(failed("run-2", "a.csv"), ended("run-2", RunStatus.PARTIAL))
        assert [f.status for f in stored_failures(target.database)] == ["resolved", "open"]


def test_a_file_is_described_by_its_newest_run_though_the_clock_stands_still(
    tmp_path: Path,
) -> None:
    with store(tmp_path) as target:
        target.put(
            failed("run-1", "a.csv", facts=facts("a.csv")),
            succeeded("run-2", "a.csv", facts=facts("a.csv", rows_loaded=7)),
        )
        assert target.database.read().rows("SELECT status, run_id, rows_loaded FROM files") == [
            ("success", "run-2", 7)
        ]


# --- one entry cannot hold up others ------------------------------------------------------------


@pytest.mark.requirement("X3")
@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(failed("run-1", "bad", duration_seconds=None), id="refused by a constraint"),
        pytest.param(
            succeeded("run-1", "bad", facts=facts("\udcff")), id="a path that is not text"
        ),
        pytest.param(Entry(events.ItemSucceeded(**who("run-1", START), item=7)), id="not text"),
        pytest.param(
            failed("run-1", "bad", assessment=assessed("x" * 2_000_000)),
            id="a row that is too long",
        ),
    ],
)
def test_an_entry_that_cannot_be_stored_does_not_hold_up_the_others(
    tmp_path: Path, refused: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    with store(tmp_path) as target:
        before = [failed("run-1", f"before-{n}") for n in range(5)]
        after = [failed("run-1", f"after-{n}") for n in range(5)]
        target.put(*before, refused, *after)
        found = [f.item for f in stored_failures(target.database)]
        assert found == [*(f"before-{n}" for n in range(5)), *(f"after-{n}" for n in range(5))]
        assert_counts_agree(target.database, target.writer.standing)
        assert refused.event not in target.events()
        assert len(target.events()) == 10
        assert target.writer.errors == 1
    lost = [r for r in caplog.records if getattr(r, "event", "") == "event_refused"]
    assert [r.levelname for r in lost] == ["CRITICAL"]


@pytest.mark.parametrize(
    ("decided", "then"),
    [
        pytest.param(FileStatus.RETRYING, "failed", id="a file to be read again was read"),
        pytest.param(FileStatus.IGNORED, "ignored", id="a run that began before changes nothing"),
    ],
)
def test_what_a_person_decided_takes_effect_between_the_runs_around_it(
    tmp_path: Path, decided: FileStatus, then: str
) -> None:
    clock = FakeClock(START)
    with store(tmp_path, clock) as target:
        target.put(
            failed("run-1", "a.csv", facts=facts("a.csv")),
            mark("orders", "a.csv", decided, clock),
            failed("run-2", "a.csv", facts=facts("a.csv")),
        )
        assert [f.status for f in stored_failures(target.database)] == ["retrying", "open"]
        assert target.database.read().rows("SELECT status FROM files") == [(then,)]
        assert [len(batch.entries) for batch in target.committed] == [1, 1, 1]


# --- the queue ---------------------------------------------------------------------------------


def test_put_blocks_at_the_limit_and_the_end_of_a_run_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.store.writer.QUEUE_LIMIT", 3)
    with store(tmp_path) as target:
        for n in range(3):
            target.writer.put(failed("run-1", f"{n}"))
        blocked = in_thread(lambda: target.writer.put(failed("run-1", "3")))
        blocked.join(0.1)
        assert blocked.is_alive()
        end = in_thread(lambda: target.writer.put(ended("run-1", RunStatus.FAILED)))
        end.join(PATIENCE)
        assert not end.is_alive()
        assert target.writer.pending == 4
        target.writer.start()
        blocked.join(PATIENCE)
        assert not blocked.is_alive()
        assert target.writer.flush(PATIENCE)
        assert {f.item for f in stored_failures(target.database)} == {"0", "1", "2", "3"}


def test_closing_wakes_what_waits_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemon.store.writer.QUEUE_LIMIT", 0)
    refused = threading.Event()

    def put() -> None:
        with pytest.raises(RecorderClosed):
            target.writer.put(failed("run-1", "a"))
        refused.set()

    with store(tmp_path) as target:
        target.writer.start()
        thread = in_thread(put)
        target.writer.stop(PATIENCE)
        thread.join(PATIENCE)
        assert refused.is_set()


@pytest.mark.requirement("X3")
def test_close_writes_what_is_queued_and_may_be_called_twice(tmp_path: Path) -> None:
    target = Store(tmp_path)
    for n in range(2_000):
        target.writer.put(failed("run-1", f"{n}"))
    target.writer.start()
    target.writer.stop(PATIENCE)
    assert target.writer.pending == 0
    target.writer.stop(PATIENCE)
    assert target.writer.pending == 0
    assert len(stored_failures(target.database)) == 2_000
    with pytest.raises(RecorderClosed):
        target.writer.put(failed("run-1", "late"))
    target.database.close()


def test_a_writer_that_was_never_started_closes_and_says_what_it_did_not_write(
    tmp_path: Path,
) -> None:
    target = Store(tmp_path)
    target.writer.put(failed("run-1", "a"))
    target.writer.stop(PATIENCE)
    assert target.writer.pending == 1
    target.database.close()


def test_waiting_ends_when_the_time_is_up(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        position = target.writer.put(failed("run-1", "a"))
        assert not target.writer.wait(position, 0.01)
        target.writer.start()
        assert target.writer.wait(position, PATIENCE)


# --- announcing --------------------------------------------------------------------------------


def test_entries_are_announced_when_they_are_on_disk_and_not_before(tmp_path: Path) -> None:
    seen: list[int] = []
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)

    def look(committed: Committed) -> None:
        found = database.read().row("SELECT count(*) FROM failures")
        assert found is not None
        seen.append(found[0])

    writer = Writer(database, LEDGERS, FakeClock(START), look)
    writer.start()
    for n in range(1, 4):
        assert writer.wait(writer.put(failed("run-1", f"{n}")), PATIENCE)
        assert seen[-1] == n
    writer.stop(PATIENCE)
    database.close()


def test_what_waits_for_a_position_finds_it_announced_already(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.writer.start()
        for n in range(10):
            target.writer.wait(target.writer.put(failed("run-1", f"{n}")), PATIENCE)
            assert len(target.events()) == n + 1


def test_a_batch_says_by_how_much_the_numbers_of_failures_changed(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.put(failed("run-1", "a"), failed("run-1", "b"))
        target.put(succeeded("run-2", "a"))
        first, second = (
            {key.status: n for key, n in batch.changes.items() if n} for batch in target.committed
        )
        assert first == {"open": 2}
        assert second == {"open": -1, "resolved": 1}


# --- trouble -----------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between two attempts to write that suit a test."""
    monkeypatch.setattr("daemon.store.writer.RETRY_SECONDS", (0.01,))


@pytest.mark.requirement("X3")
@pytest.mark.usefixtures("impatient")
def test_recording_goes_on_after_the_connection_broke(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with store(tmp_path) as target:
        target.put(failed("run-1", "a"))
        target.database.writer.close()
        target.put(failed("run-2", "a"), failed("run-2", "b"))
        assert [f.status for f in stored_failures(target.database)] == ["retrying", "open", "open"]
        assert_counts_agree(target.database, target.writer.standing)
        assert target.writer.trouble is None
        assert target.writer.errors >= 1
        told = [getattr(r, "event", "") for r in caplog.records]
        assert "store_unwritable" in told


@pytest.mark.requirement("X3")
@pytest.mark.usefixtures("impatient")
def test_a_store_that_cannot_be_written_is_told_and_recording_catches_up_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    clock = FakeClock(START)
    with store(tmp_path, clock) as target:
        with target.database.writer.cursor() as cursor:
            cursor.execute("ALTER TABLE failures RENAME TO away")
        target.writer.start()
        position = target.writer.put(failed("run-1", "a"))
        trouble = wait_for(lambda: target.writer.trouble)
        assert "failures" in trouble.message
        clock.advance(60)
        assert not target.writer.wait(position, 0.05)
        assert target.events() == []
        assert target.writer.pending == 1
        with target.database.writer.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO failures")
        assert target.writer.wait(position, PATIENCE)
        assert target.writer.trouble is None
        assert_counts_agree(target.database, target.writer.standing)
        told = [getattr(r, "event", "") for r in caplog.records]
        assert told.count("store_unwritable") == 1
        assert told.count("store_recovered") == 1
        recovered = next(r for r in caplog.records if getattr(r, "event", "") == "store_recovered")
        assert vars(recovered)["seconds"] == 60


@pytest.mark.requirement("X3")
@pytest.mark.usefixtures("impatient")
def test_closing_a_store_that_cannot_be_written_ends_and_says_what_was_lost(
    tmp_path: Path,
) -> None:
    target = Store(tmp_path)
    with target.database.writer.cursor() as cursor:
        cursor.execute("DROP TABLE failures")
    target.writer.start()
    for n in range(3):
        target.writer.put(failed("run-1", f"{n}"))
    target.writer.stop(0.2)
    assert target.writer.pending == 3
    target.database.close()


@pytest.mark.requirement("X3")
@pytest.mark.usefixtures("impatient")
def test_what_a_stop_could_not_store_is_stored_after_the_next_start(tmp_path: Path) -> None:
    target = Store(tmp_path)
    with target.database.writer.cursor() as cursor:
        cursor.execute("ALTER TABLE failures RENAME TO away")
    target.writer.start()
    for n in range(3):
        last = target.writer.put(failed("run-1", f"{n}"))
    target.writer.stop(0.2)
    with target.database.writer.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO failures")
    target.writer.start()
    assert target.writer.wait(last, PATIENCE)
    target.close()
    with store(tmp_path) as target:
        assert [f.item for f in stored_failures(target.database)] == ["0", "1", "2"]


# --- upkeep ------------------------------------------------------------------------------------


def test_counts_in_memory_are_right_after_upkeep(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        old = START - timedelta(days=9)
        target.put(failed("run-1", "old", old), succeeded("run-2", "old", old))
        target.put(failed("run-3", "new"))
        target.writer.do(lambda c: upkeep.expire(c, LEDGERS, START, timedelta(days=5)))
        wait_for(lambda: sum(target.writer.standing.open().values()) == 1)
        assert_counts_agree(target.database, target.writer.standing)
        assert target.writer.trouble is None


def test_upkeep_that_fails_does_not_end_the_writer(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.writer.start()

        def forbidden(_: object) -> None:
            raise OverflowError

        target.writer.do(forbidden)
        target.writer.do(lambda c: c.execute("SELECT * FROM nowhere"))  # type: ignore[arg-type, return-value]
        target.put(failed("run-1", "a"))
        assert len(stored_failures(target.database)) == 1


def test_ids_go_on_where_they_were_after_a_restart(tmp_path: Path) -> None:
    with store(tmp_path) as target:
        target.put(failed("run-1", "a"), failed("run-1", "b"))
    with store(tmp_path) as target:
        target.put(failed("run-2", "a"))
        assert target.database.read().rows("SELECT id FROM failures ORDER BY id") == [
            (1,),
            (2,),
            (3,),
        ]
        assert [f.attempt for f in stored_failures(target.database)] == [1, 1, 2]
        assert_counts_agree(target.database, target.writer.standing)


def test_a_batch_too_large_for_the_memory_is_stored_in_parts(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=9_000_000)
    announced: list[Committed] = []
    writer = Writer(database, LEDGERS, FakeClock(START), announced.append)
    chance = random.Random(9)
    for number in range(9_000):
        message = f"{number} {chance.randbytes(950).hex()}"
        writer.put(failed("run", f"{number}", assessment=assessed(message)))
    writer.start()
    assert writer.flush(PATIENCE)
    assert writer.errors > 0
    assert len(announced) > 1
    assert writer.trouble is None
    assert database.read().row("SELECT count(*), count(DISTINCT item) FROM failures") == (
        9_000,
        9_000,
    )
    writer.stop(PATIENCE)
    assert writer.pending == 0
    database.close()


def test_a_writer_that_dies_says_so_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    def refuse(committed: Committed) -> None:
        raise RuntimeError(f"{len(committed.entries)} too many")

    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    writer = Writer(database, LEDGERS, FakeClock(START), refuse)
    writer.start()
    position = writer.put(failed("run", "a"))
    assert not writer.wait(position, PATIENCE)
    assert writer.trouble is not None
    assert "restart" in writer.trouble.message
    with pytest.raises(RecorderClosed):
        writer.put(failed("run", "b"))
    writer.stop(PATIENCE)
    assert writer.pending == 1
    database.close()


def test_nobody_is_told_that_an_entry_is_stored_because_a_later_one_was_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(entry: Entry) -> Entry:
        if entry.event.item == "odd":  # type: ignore[union-attr]
            raise RuntimeError("not to be understood")
        return entry

    stored_when_done: list[int] = []
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)

    def look(committed: Committed) -> None:
        stored_when_done.append(writer.pending)

    writer = Writer(database, LEDGERS, FakeClock(START), look, prepare)
    for item in ("a", "odd", "b"):
        last = writer.put(failed("run", item))
    writer.start()
    assert writer.wait(last, PATIENCE)
    assert stored_when_done == [3], "the refused one is not counted before the others are on disk"
    assert [f.item for f in stored_failures(database)] == ["a", "b"]
    assert "event_refused" in [getattr(r, "event", "") for r in caplog.records]
    writer.stop(PATIENCE)
    assert writer.pending == 0
    database.close()
