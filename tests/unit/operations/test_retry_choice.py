"""Which items a retry comes to, against a plain model of what happened to them."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import events
from daemon.operations.retries.pace import LEAST, MOST, RATED_SECONDS, ChunkPace
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.filters import FailureFilter
from daemon.store.retries import Retries
from daemon.taxonomy import Category, FileStatus, RetryOutcome, RetryState
from tests.unit.spine_support import MEMORY, START, assessed, failed, insert, marked, succeeded

ITEMS = ("a", "b", "c")
CATEGORIES = (Category.CONNECTION, Category.VALIDATION)
FAILS = st.tuples(
    st.just("fail"),
    st.sampled_from(ITEMS),
    st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2),
)
SUCCEEDS = st.tuples(st.just("succeed"), st.sampled_from(ITEMS), st.just([]))
IGNORES = st.tuples(st.just("ignore"), st.sampled_from(ITEMS), st.just([]))
HISTORY = st.lists(st.one_of(FAILS, FAILS, SUCCEEDS, IGNORES), max_size=12)


ASKED = "run-500"
"""The operation: later than the runs before it, as ids are that sort by time."""


def requested(chosen: FailureFilter, *, insist: bool) -> events.RetryRequested:
    return events.RetryRequested(
        at=START,
        operation_id=ASKED,
        asked_by="local",
        selection="{}",
        failure_ids=None,
        filter=msgspec.json.encode(chosen).decode(),
        include_not_retryable=insist,
        rate=None,
    )


def record(database: Database, history: list[tuple[str, str, list[Category]]]) -> None:
    """Each step is a run, or a decision, of its own."""
    for n, (what, item, causes) in enumerate(history):
        run, at = f"run-{n:03d}", START + timedelta(minutes=n)
        entries = [failed(run, item, at, assessment=assessed(category=c)) for c in causes]
        if what == "succeed":
            entries = [succeeded(run, item, at)]
        if what == "ignore":
            entries = [marked(FileStatus.IGNORED, item, at=at)]
        (found,) = database.read().rows("SELECT coalesce(max(id), 0) + 1 FROM failures")
        insert(database, entries, found[0])


def expected(
    history: list[tuple[str, str, list[Category]]], wanted: Category, *, insist: bool
) -> Counter[str]:
    """What becomes of each item that ever failed with the wanted category."""
    found: Counter[str] = Counter()
    for item in ITEMS:
        mine = [(what, causes) for what, name, causes in history if name == item]
        if not any(wanted in causes for _, causes in mine):
            continue
        worked = [n for n, (what, _) in enumerate(mine) if what == "succeed"]
        since = mine[worked[-1] + 1 :] if worked else mine
        failures = [causes for what, causes in since if what == "fail"]
        last = max((n for n, (what, _) in enumerate(since) if what == "fail"), default=-1)
        if not any(wanted in causes for causes in failures):
            found["resolved"] += 1
        elif any(what == "ignore" for what, _ in since[last:]):
            found["set_aside"] += 1
        elif wanted not in failures[-1]:
            found["superseded"] += 1
        elif Category.VALIDATION in failures[-1] and not insist:
            found["not_retryable"] += 1
        else:
            found["retry"] += 1
    return found


@settings(max_examples=40, deadline=None)
@given(HISTORY, st.sampled_from(CATEGORIES), st.booleans())
def test_every_item_is_retried_or_left_out_for_the_reason_that_holds(
    history: list[tuple[str, str, list[Category]]], wanted: Category, insist: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "store.duckdb", memory_limit=MEMORY)
        try:
            record(database, history)
            retries = Retries(database)
            chosen = FailureFilter(category=wanted)
            choice, sources = retries.preview(None, chosen, include_not_retryable=insist)
            insert(database, [Entry(requested(chosen, insist=insist))])
            operation = retries.get(ASKED)
            targets = retries.targets_to_do(operation, "ingest", "orders", 100)
            again, _ = retries.preview(None, chosen, include_not_retryable=insist)
        finally:
            database.close()
    model = expected(history, wanted, insist=insist)
    for reason in ("resolved", "set_aside", "superseded", "not_retryable"):
        assert getattr(choice, reason) == getattr(operation, reason) == model[reason], reason
    assert choice.selected == operation.selected == sum(model.values())
    assert sum(source.items for source in sources) == len(targets) == model["retry"]
    assert again.in_other_operation == model["retry"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(ITEMS), unique=True),
    st.lists(st.tuples(st.sampled_from(ITEMS), st.booleans()), max_size=6),
)
def test_what_has_come_of_an_item_is_what_happened_last_and_results_are_final(
    failing: list[str], history: list[tuple[str, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "store.duckdb", memory_limit=MEMORY)
        try:
            insert(database, [failed("run-000", item) for item in failing])
            insert(database, [Entry(requested(FailureFilter(), insist=True))])
            for n, (item, works) in enumerate(history):
                run, at = f"run-{n + 600}", START + timedelta(minutes=n + 1)
                entry = succeeded(run, item, at) if works else failed(run, item, at)
                insert(database, [entry], 100 + n)
            retries = Retries(database)
            operation = retries.get(ASKED)
            targets = retries.targets_to_do(operation, "ingest", "orders", 100)
            result = events.RetryResult(
                failure_id=1, pipeline="ingest", outcome=RetryOutcome.SUCCEEDED
            )
            later = events.RetryResult(
                failure_id=1, pipeline="ingest", outcome=RetryOutcome.FAILED_AGAIN
            )
            for told in (result, later):
                progressed = events.RetryProgressed(at=START, operation_id=ASKED, results=(told,))
                insert(database, [Entry(progressed)], 1000)
            progress = retries.progress([ASKED]).get(ASKED, [])
        finally:
            database.close()
    last = dict(history)
    for target in targets:
        assert target.item is not None
        works = last.get(target.item)
        assert (target.new_failure_id is not None) == (works is False)
        if works is True:
            assert target.resolved
        if works is None:
            assert not target.resolved
    assert len(targets) == len(failing)
    assert sum(source.succeeded for source in progress) == bool(failing)
    assert not any(source.failed_again for source in progress)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([s for s in RetryState if s != RetryState.PENDING]), max_size=5))
def test_an_operation_that_has_ended_stays_as_it_is(states: list[RetryState]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "store.duckdb", memory_limit=MEMORY)
        try:
            insert(database, [Entry(requested(FailureFilter(), insist=False))])
            changes = [
                events.RetryChanged(at=START, operation_id=ASKED, state=state) for state in states
            ]
            insert(database, [Entry(change) for change in changes])
            operation = Retries(database).get(ASKED)
        finally:
            database.close()
    ends = [state for state in states if state is not RetryState.RUNNING]
    begun = RetryState.RUNNING in (states[: states.index(ends[0])] if ends else states)
    unended = RetryState.RUNNING if begun else RetryState.PENDING
    assert operation.state == (ends[0] if ends else unended)
    assert (operation.started_at is not None, operation.ended_at is not None) == (begun, bool(ends))


@given(st.integers(1, 1_000_000), st.lists(st.floats(0, 100), max_size=20))
def test_a_rate_is_never_exceeded(rate: int, durations: list[float]) -> None:
    pace, now, items = ChunkPace(rate), 0.0, 0
    for seconds in durations:
        now += pace.wait(now)
        assert items * 60 / rate <= now + 1e-6
        assert 1 <= pace.size <= max(1, min(MOST, rate * RATED_SECONDS / 60))
        items += pace.size
        pace.took(pace.size, now, now + seconds)
        now += seconds


@given(st.lists(st.floats(0, 100), max_size=30))
def test_without_a_rate_chunks_never_wait_and_follow_how_long_they_take(
    durations: list[float],
) -> None:
    pace, now = ChunkPace(None), 0.0
    for seconds in durations:
        before = pace.size
        pace.took(before, now, now + seconds)
        now += seconds
        assert pace.wait(now) == 0
        assert LEAST <= pace.size <= MOST
        assert (pace.size - before) * (seconds - 5) <= 0
