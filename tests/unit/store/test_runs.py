"""Runs: every one found once, newest first; logs in order; what gauges start from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.clock import FakeClock
from daemon.errors import InvalidQuery, NotFound
from daemon.store import upkeep
from daemon.store.columns.runs import RunRecord
from daemon.store.database import Database
from daemon.store.runs import RunFilter, Runs
from daemon.taxonomy import CATEGORIES, Category, Group, RunStatus, Trigger
from tests.unit.spine_support import MEMORY, START, Store, ended, insert, started, store

SOURCES = ("orders", "events")
ENDS = (RunStatus.SUCCESS, RunStatus.PARTIAL, RunStatus.FAILED, RunStatus.INTERRUPTED, None)
HOURS = 60


def run_id(number: int) -> str:
    at = START + timedelta(hours=number)
    return f"{at:%Y%m%dT%H%M%S}000-{number:08x}"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A run an hour; every fifth still goes on."""
    opened = Database(tmp_path_factory.mktemp("runs") / "store.duckdb", memory_limit=MEMORY)
    entries = []
    for number in range(HOURS):
        at, status = START + timedelta(hours=number), ENDS[number % 5]
        source = SOURCES[number % 3 % 2]
        entries.append(started(run_id(number), at, source=source))
        if status is not None:
            category = ("connection", "unknown")[number % 2] if status != "success" else None
            entries.append(ended(run_id(number), status, at, source=source, category=category))
    insert(opened, entries)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def stored(database: Database) -> list[RunRecord]:
    found = Runs(database).page(RunFilter(), 1_000).runs
    assert [run.run_id for run in found] == [run_id(n) for n in reversed(range(HOURS))]
    return found


def matches(f: RunFilter, run: RunRecord) -> bool:
    group = CATEGORIES[Category(run.category)].group if run.category else None
    wanted = ((f.pipeline, run.pipeline), (f.source, run.source), (f.status, run.status))
    return (
        all(want is None or want == found for want, found in wanted)
        and (f.category is None or f.category == run.category)
        and (f.group is None or f.group == group)
        and (f.since is None or run.started_at >= f.since)
        and (f.until is None or run.started_at < f.until)
        and (f.ended is None or f.ended == (run.ended_at is not None))
        and (not f.q or f.q.lower() in run.source.lower())
        and (f.accounts is None or (run.pipeline, run.source) in f.accounts)
    )


times = st.none() | st.integers(-1, HOURS + 1).map(lambda n: START + timedelta(hours=n))
filters = st.builds(
    RunFilter,
    pipeline=st.none() | st.sampled_from(("ingest", "gone")),
    source=st.none() | st.sampled_from(SOURCES),
    status=st.none() | st.sampled_from([status.value for status in RunStatus]),
    category=st.none() | st.sampled_from(("connection", "unknown")),
    since=times,
    until=times,
    group=st.none() | st.sampled_from([group.value for group in Group]),
    q=st.none() | st.sampled_from(("ORD", "ents", "%")),
    ended=st.none() | st.booleans(),
    accounts=st.none() | st.just((("ingest", "orders"),)),
)


@pytest.mark.requirement("S5")
@settings(max_examples=60, deadline=None)
@given(f=filters, limit=st.integers(5, 100))
def test_paging_finds_every_run_once_newest_first_and_the_total_says_how_many(
    database: Database, stored: list[RunRecord], f: RunFilter, limit: int
) -> None:
    runs, found, cursor = Runs(database), list[RunRecord](), None
    while True:
        page = runs.page(f, limit, cursor)
        found += page.runs
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.runs) == limit
    assert found == [run for run in stored if matches(f, run)]
    assert runs.total(f) == len(found)


def test_the_latest_run_of_a_source_is_found(database: Database, stored: list[RunRecord]) -> None:
    runs = Runs(database)
    by_source = runs.latest_by_source("ingest")
    assert set(by_source) == set(SOURCES)
    for source in SOURCES:
        newest = next(run for run in stored if run.source == source)
        assert runs.latest("ingest", source) == by_source[source] == newest
    assert runs.latest("ingest", "gone") is None
    assert runs.latest_by_source("gone") == {}


def test_what_is_no_run_is_told(database: Database) -> None:
    runs = Runs(database)
    for wrong in ("gone", "", "'; DROP TABLE runs; --"):
        with pytest.raises(NotFound):
            runs.get(wrong)
        with pytest.raises(NotFound):
            runs.log(wrong)
    for cursor in ("", "ä", "x" * 65):
        with pytest.raises(InvalidQuery):
            runs.page(RunFilter(), 10, cursor)


@pytest.mark.requirement("S9")
def test_statistics_of_all_sources_add_up_to_all_runs(
    database: Database, stored: list[RunRecord]
) -> None:
    since, until = START + timedelta(hours=10), START + timedelta(hours=40)
    found = Runs(database).statistics(since, until)
    inside = [run for run in stored if since <= run.started_at < until]
    assert sum(s.runs for s in found) == len(inside)
    for s in found:
        its = [run for run in inside if run.source == s.source]
        assert s.success == sum(run.status == "success" for run in its)
        assert s.failed == sum(run.status == "failed" for run in its)
        assert s.last_run_at == max(run.started_at for run in its)
        assert s.median_seconds == 1.0


Streak = tuple[datetime | None, datetime | None, int, str | None, datetime | None]
"""The fields of a `RunStreak` after the source."""


@settings(max_examples=12, deadline=None)
@given(ends=st.lists(st.tuples(st.sampled_from(SOURCES), st.sampled_from(ENDS)), max_size=12))
def test_streaks_say_what_counting_along_would_say(
    tmp_path_factory: pytest.TempPathFactory, ends: list[tuple[str, RunStatus | None]]
) -> None:
    database = Database(tmp_path_factory.mktemp("s") / "store.duckdb", memory_limit=MEMORY)
    entries, expected = [], dict[str, Streak]()
    for number, (source, status) in enumerate(ends):
        at = START + timedelta(hours=number)
        entries.append(started(run_id(number), at, source=source))
        if status is None:
            continue
        category = "connection" if number % 2 else "unknown"
        entries.append(ended(run_id(number), status, at, source=source, category=category))
        last, worked, failures, _, since = expected.get(source, (None, None, 0, None, None))
        if status is RunStatus.FAILED:
            expected[source] = (last, worked, failures + 1, category, since or at)
        elif status is RunStatus.SUCCESS:
            expected[source] = (at, at, 0, None, None)
        elif status is RunStatus.PARTIAL:
            expected[source] = (last, at, 0, None, None)
    insert(database, entries)
    found = {s.source: tuple(s)[2:] for s in Runs(database).streaks()}
    assert found == expected
    database.close()


# --- one run -----------------------------------------------------------------------------------


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Store]:
    with store(tmp_path) as opened:
        yield opened


@pytest.mark.requirement("F3", "I4")
def test_the_log_of_a_run_tells_it_in_order_with_the_full_text_of_its_failures(
    target: Store,
) -> None:
    clock = target.clock
    assert isinstance(clock, FakeClock)
    run = target.run()
    clock.advance(1)
    run.step("fetching", "fetching")
    clock.advance(1)
    try:
        Path("/nowhere/a.csv").read_text()
    except OSError as error:
        run.fail("a.csv", error)
    clock.advance(1)
    target.end(run)
    lines = list(target.runs.log(run.run_id))
    assert [line.event for line in lines] == [
        *("run_started", "step", "failure", "failure_text", "run_ended")
    ]
    assert [line.time for line in lines] == sorted(line.time for line in lines)
    assert {line.run_id for line in lines} == {run.run_id}
    failure = next(line for line in lines if line.event == "failure")
    assert (failure.file_path, failure.error_category, failure.retryable) == (
        *("a.csv", "account_not_found"),
        False,
    )
    text = next(line for line in lines if line.event == "failure_text")
    assert "Traceback" in text.text
    assert text.failure_id == failure.failure_id == 1
    assert lines[-1].status == "failed"


def test_the_log_of_a_run_that_goes_on_has_no_end_yet(target: Store) -> None:
    run = target.run()
    assert [line.event for line in target.runs.log(run.run_id)] == ["run_started"]


@pytest.mark.requirement("S3")
def test_what_the_daemon_died_in_is_interrupted_at_the_next_start(tmp_path: Path) -> None:
    later = START + timedelta(minutes=5)
    with store(tmp_path) as target:
        cycle = events.CycleStarted(
            at=START, cycle_id="c", pipeline="ingest", trigger=Trigger.SCHEDULE, sources=()
        )
        target.writer.start()
        target.recorder.wait(target.recorder.record(cycle))
        dead, done = target.run(), target.run()
        dead.succeed("a")
        assert target.writer.flush(10)
        dead.succeed("b")
        dead.fail("c", "TimeoutError: timed out")
        dead.fail("c", "TimeoutError: timed out again")
        dead.fail("d", "KeyError: 'id'")
        dead.skip(count=7)
        target.end(done)
    with store(tmp_path) as target:
        upkeep.interrupt_unfinished(target.database.writer, later)
        upkeep.interrupt_unfinished(target.database.writer, later + timedelta(days=1))
        found = target.runs.get(dead.run_id)
        assert (found.status, found.state, found.ended_at) == ("interrupted", "error", later)
        assert found.suggested_action
        assert (found.succeeded, found.failed, found.skipped, found.retryable) == (2, 2, 7, 2)
        assert target.runs.get(done.run_id).status == "success"
        assert target.database.read().rows("SELECT outcome FROM cycles") == [("interrupted",)]
        assert target.runs.last_cycles() == {}


@pytest.mark.requirement("S9")
def test_a_pause_is_remembered_until_it_is_lifted(tmp_path: Path) -> None:
    def decide(target: Store, paused: bool) -> None:
        event = events.PipelinePaused(at=datetime.now(UTC), pipeline="ingest", paused=paused)
        assert target.recorder.wait(target.recorder.record(event), 10)

    with store(tmp_path) as target:
        target.writer.start()
        decide(target, paused=True)
        decide(target, paused=True)
    with store(tmp_path) as target:
        assert target.runs.paused() == {"ingest"}
        target.writer.start()
        decide(target, paused=False)
        assert target.runs.paused() == set()
