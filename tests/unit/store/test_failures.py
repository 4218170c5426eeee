"""Every failure is found exactly once, in order, by any filter; totals, groups and trends agree with it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import InvalidQuery, NotFound, StoreUnavailable
from daemon.store import upkeep
from daemon.store.columns.failures import FailureRecord
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.store.failures import Failures, TrendKey, answer
from daemon.store.filters import FailureFilter
from daemon.taxonomy import CATEGORIES, Category, Group, RunStatus
from tests.unit.spine_support import (
    LEDGERS,
    MEMORY,
    START,
    assert_counts_agree,
    assessed,
    ended,
    failed,
    insert,
    started,
    succeeded,
)

FIRST_DAY = datetime(2026, 11, 14, tzinfo=UTC)
DAYS = 6
RUNS = 24
PIPELINES = ("ingest", "nightly")
SOURCES = ("orders", "events", "Sales.2")
MESSAGES = ("Disk FULL at row", "could not convert", "äöü % _ straße", "timed out")


def moments() -> list[datetime]:
    """Six days of times, some at midnight to the microsecond and some twice."""
    chance = random.Random(1)
    times = [FIRST_DAY + timedelta(seconds=chance.uniform(0, DAYS * 86400)) for _ in range(250)]
    for day in range(1, DAYS):
        midnight = FIRST_DAY + timedelta(days=day)
        times += [midnight, midnight, midnight - timedelta(microseconds=1)]
    return sorted(times)


def history() -> list[Entry]:
    """Runs over several days that fail in many ways; some of what failed works later."""
    chance = random.Random(2)
    times = moments()
    share = len(times) // RUNS + 1
    entries = []
    for number in range(RUNS):
        its = times[number * share : (number + 1) * share]
        if not its:
            break
        run, pipeline, source = (
            f"run-{number:02d}",
            chance.choice(PIPELINES),
            chance.choice(SOURCES),
        )
        where = {"pipeline": pipeline, "source": source}
        entries.append(started(run, its[0], **where))
        for moment in its:
            item = chance.choice((None, "a.csv", "B.csv", "c.csv"))
            entries.append(failed(run, item, moment, assessment=cause(chance), **where))
            if chance.random() < 0.1 and pipeline == "ingest":
                entries.append(succeeded(run, "a.csv", moment, source=source))
        entries.append(ended(run, RunStatus.PARTIAL, its[-1], **where))
    return entries


def cause(chance: random.Random) -> Any:
    category = chance.choice((Category.CONNECTION, Category.UNKNOWN, Category.AUTHENTICATION))
    message = chance.choice(MESSAGES)
    retryable = category is Category.CONNECTION and chance.random() < 0.7
    group = f"{MESSAGES.index(message):08d}{list(Category).index(category):08d}"
    return assessed(message, category=category, group=group, retryable=retryable)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A store with failures of several days, in two batches."""
    opened = Database(tmp_path_factory.mktemp("failures") / "store.duckdb", memory_limit=MEMORY)
    entries = history()
    half = len(entries) // 2
    insert(opened, entries[:half])
    insert(opened, entries[half:], first_id=1_000)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def stored(database: Database) -> list[FailureRecord]:
    """All failures, newest first, by one plain query."""
    found = Failures(database.read()).page(FailureFilter(), 1_000_000).failures
    rows = database.read().rows("SELECT id FROM failures ORDER BY error_time DESC, id DESC")
    assert [failure.id for failure in found] == [number for (number,) in rows]
    assert len(found) > 200
    return found


def matches(f: FailureFilter, failure: FailureRecord) -> bool:
    """Whether a failure matches, told without SQL."""
    texts = (failure.error_message, failure.item or "", failure.user_message, failure.source)
    group = CATEGORIES[Category(failure.category)].group
    wanted = (
        (f.pipeline, failure.pipeline),
        (f.source, failure.source),
        (f.category, failure.category),
        (f.group, group),
        (f.retryable, failure.retryable),
        (f.status, failure.status),
        (f.run_id, failure.run_id),
        (f.failure_group, failure.failure_group),
    )
    return (
        all(want is None or want == found for want, found in wanted)
        and (f.since is None or failure.error_time >= f.since)
        and (f.until is None or failure.error_time < f.until)
        and (not f.q or any(f.q.lower() in text.lower() for text in texts))
        and (f.accounts is None or (failure.pipeline, failure.source) in f.accounts)
    )


times = st.one_of(
    st.none(),
    st.integers(-1, DAYS + 1).map(lambda day: FIRST_DAY + timedelta(days=day)),
    st.integers(0, DAYS * 86400 * 10**6).map(lambda n: FIRST_DAY + timedelta(microseconds=n)),
    st.sampled_from(moments()),
    st.sampled_from(moments()).map(lambda t: t + timedelta(microseconds=1)),
)
filters = st.builds(
    FailureFilter,
    pipeline=st.none() | st.sampled_from((*PIPELINES, "gone")),
    source=st.none() | st.sampled_from(SOURCES),
    category=st.none() | st.sampled_from(("connection", "unknown", "resource")),
    group=st.none() | st.sampled_from([group.value for group in Group]),
    retryable=st.none() | st.booleans(),
    status=st.none() | st.sampled_from(("open", "resolved", "retrying")),
    since=times,
    until=times,
    q=st.none() | st.sampled_from(("disk", "STRASSE", "straße", "%", "_", "'", "csv", "happened")),
    run_id=st.none() | st.integers(0, RUNS).map(lambda n: f"run-{n:02d}"),
    failure_group=st.none() | st.sampled_from((f"{0:016d}", f"{3:08d}{4:08d}")),
    accounts=st.none() | st.just((("ingest", "orders"), ("nightly", "events"))),
)
few_conditions = filters.map(
    # Most of the conditions together match nothing: keep the times and two more.
    lambda f: FailureFilter(since=f.since, until=f.until, source=f.source, status=f.status)
)
any_filter = st.one_of(filters, few_conditions, few_conditions)


def pages(failures: Failures, f: FailureFilter, limit: int) -> Iterator[list[FailureRecord]]:
    cursor = None
    for _ in range(1_000):
        page = failures.page(f, limit, cursor)
        yield page.failures
        cursor = page.next_cursor
        if cursor is None:
            return
    pytest.fail("the pages do not end")


@pytest.mark.requirement("F3")
@settings(max_examples=80, deadline=None)
@given(f=any_filter, limit=st.integers(20, 300))
def test_paging_finds_every_match_once_newest_first_and_the_total_says_how_many(
    database: Database, stored: list[FailureRecord], f: FailureFilter, limit: int
) -> None:
    expected = [failure for failure in stored if matches(f, failure)]
    failures = Failures(database.read())
    assert [failure for page in pages(failures, f, limit) for failure in page] == expected
    assert failures.total(f) == len(expected)


@pytest.mark.requirement("F3")
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_small_pages_are_full_and_end_with_the_last_match(
    database: Database, stored: list[FailureRecord], limit: int
) -> None:
    f = FailureFilter(source="orders", since=FIRST_DAY + timedelta(days=2.5))
    expected = [failure for failure in stored if matches(f, failure)]
    found = list(pages(Failures(database.read()), f, limit))
    assert [failure for page in found for failure in page] == expected
    assert {len(page) for page in found[:-1]} <= {limit}
    assert found[-1]


@settings(max_examples=40, deadline=None)
@given(f=any_filter, key=st.sampled_from(TrendKey.__args__))  # type: ignore[attr-defined]
def test_groups_trends_and_counts_add_up_to_the_total(
    database: Database, stored: list[FailureRecord], f: FailureFilter, key: TrendKey
) -> None:
    failures = Failures(database.read())
    expected = [failure for failure in stored if matches(f, failure)]
    by_group = Counter(failure.failure_group for failure in expected)
    found_groups, number = failures.groups(f, 1_000, now=START)
    groups = [group.record for group in found_groups]
    assert {group.failure_group: group.count for group in groups} == by_group
    assert number == len(by_group)
    for group in groups:
        statuses = (group.open, group.retrying, group.resolved, group.quarantined, group.ignored)
        assert sum(statuses) == group.count
    by_key = Counter(str(getattr(failure, key)) for failure in expected)
    for step in (timedelta(hours=1), timedelta(days=1)):
        trend = failures.trends(f, key, step)
        summed = Counter[str]()
        for point in trend:
            summed[point.key] += point.count
        assert summed == by_key
    assert failures.counts(failures.narrowed(f), key) == by_key
    by_source = Counter((x.pipeline, x.source, x.category) for x in expected)
    found = {(s.pipeline, s.source, s.category): s.count for s in failures.by_source(f)}
    assert found == by_source


def test_hours_of_a_trend_hold_the_failures_of_those_hours(
    database: Database, stored: list[FailureRecord]
) -> None:
    step = timedelta(hours=1)
    trend = Failures(database.read()).trends(FailureFilter(), "category", step)
    for point in trend:
        inside = [
            failure
            for failure in stored
            if point.start <= failure.error_time < point.start + step
            and failure.category == point.key
        ]
        assert point.count == len(inside)


@pytest.mark.parametrize("limit", [1, 3])
def test_groups_are_paged_without_gap_or_overlap(database: Database, limit: int) -> None:
    failures = Failures(database.read())
    everything, number = failures.groups(FailureFilter(), 100, now=START)
    paged = []
    for offset in range(0, number + limit, limit):
        page, total = failures.groups(FailureFilter(), limit, offset, now=START)
        assert total == number
        paged += page
    assert paged == everything
    counts = [group.record.open for group in paged]
    assert counts == sorted(counts, reverse=True)


def test_a_group_knows_when_it_was_seen_and_where(
    database: Database, stored: list[FailureRecord]
) -> None:
    groups, _ = Failures(database.read()).groups(FailureFilter(), 100, now=START)
    for group in (found.record for found in groups):
        its = [f for f in stored if f.failure_group == group.failure_group]
        assert group.first_seen == min(f.error_time for f in its)
        assert group.last_seen == max(f.error_time for f in its)
        assert group.sources == sorted({f.source for f in its})


@pytest.mark.requirement("F3")
def test_a_page_agrees_with_its_total_while_failures_are_recorded(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    insert(database, [failed("run-1", "a"), failed("run-1", "b")])
    with database.read() as snapshot:
        failures = Failures(snapshot)
        before = failures.page(FailureFilter(), 10)
        insert(database, [failed("run-2", "c")], first_id=10)
        assert failures.total(FailureFilter()) == len(before.failures) == 2
    found = answer(database, FailureFilter(), 2)
    assert (len(found.failures), found.total) == (2, 3)
    assert found.next_cursor is not None
    database.close()


def test_a_page_is_not_moved_by_failures_recorded_after_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    insert(database, [failed("run-1", f"{n}") for n in range(6)])
    failures = Failures(database.read())
    first = failures.page(FailureFilter(), 3)
    insert(database, [failed("run-2", "new", START + timedelta(hours=1))], first_id=10)
    second = failures.page(FailureFilter(), 3, first.next_cursor)
    assert [f.item for f in first.failures + second.failures] == list("543210")
    assert second.next_cursor is None
    database.close()


def test_one_failure_is_found_by_its_id(database: Database, stored: list[FailureRecord]) -> None:
    failures = Failures(database.read())
    assert failures.get(stored[5].id) == stored[5]
    with pytest.raises(NotFound):
        failures.get(987_654)


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1.", ".1", "-1.2", "1.2.3", "9" * 30 + ".1", "\u0663.\u0661"]
)
def test_a_cursor_that_nobody_gave_out_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(InvalidQuery, match="cursor"):
        Failures(database.read()).page(FailureFilter(), 10, cursor)


@pytest.mark.parametrize(
    "text", ["'; DROP TABLE failures; --", "\\", '"', "%", "_", "\0", "\n", "$1", "?"]
)
def test_text_from_outside_is_never_sql(
    database: Database, stored: list[FailureRecord], text: str
) -> None:
    failures = Failures(database.read())
    assert failures.total(FailureFilter(source=text, run_id=text, failure_group=text)) == 0
    found = failures.total(FailureFilter(q=text))
    assert found == sum(matches(FailureFilter(q=text), failure) for failure in stored)
    assert failures.total(FailureFilter()) == len(stored)


def test_a_closed_store_says_that_it_cannot_be_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    database.close()
    database.close()
    with pytest.raises(StoreUnavailable):
        Failures(database.read()).total(FailureFilter())


@settings(max_examples=12, deadline=None)
@given(age=st.integers(0, DAYS + 1), hours=st.integers(0, 23), again=st.booleans())
def test_expiry_forgets_whole_days_and_keeps_the_tally_exact(
    tmp_path_factory: pytest.TempPathFactory, age: int, hours: int, again: bool
) -> None:
    database = Database(tmp_path_factory.mktemp("old") / "store.duckdb", memory_limit=MEMORY)
    insert(database, history())
    now = FIRST_DAY + timedelta(days=DAYS, hours=hours)
    first = (now - timedelta(days=age)).replace(hour=0)
    kept = database.read().rows(
        """SELECT id FROM failures WHERE error_time >= ? OR status IN ('open', 'retrying')
           ORDER BY id""",
        [first.replace(tzinfo=None)],
    )
    for _ in range(1 + again):
        upkeep.expire(database.writer, LEDGERS, now, timedelta(days=age))
    assert database.read().rows("SELECT id FROM failures ORDER BY id") == kept
    assert_counts_agree(database)
    kinds = "day, pipeline, source, category, retryable, status, failure_group"
    doubles = f"SELECT {kinds} FROM failure_tally GROUP BY ALL HAVING count(*) > 1"
    assert database.read().rows(doubles) == []
    failures = Failures(database.read())
    assert failures.total(FailureFilter()) == len(kept)
    groups, _ = failures.groups(FailureFilter(), 100, now=START)
    assert sum(group.record.count for group in groups) == len(kept)
    database.close()
