"""Series count every failure exactly once, whatever they are told apart by and however long a stretch is."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import InvalidQuery, QueryTooLong
from daemon.store import reading
from daemon.store.columns.failures import FailureRecord
from daemon.store.database import Database
from daemon.store.deadline import Deadline
from daemon.store.failures import Failures
from daemon.store.filters import FailureFilter
from daemon.store.reading import Need
from daemon.store.report_conditions import Comparison, Condition, Dimension, Measure
from daemon.store.report_grid import STEPS, Grid
from daemon.store.report_series import RunFigures, Series, failure_series, run_series
from daemon.store.runs import RunFilter
from daemon.taxonomy import CATEGORIES, Category
from tests.unit.spine_support import MEMORY, PATIENCE, insert
from tests.unit.store.test_failures import DAYS, FIRST_DAY, any_filter, history, matches

EVERYTHING = (FIRST_DAY - timedelta(days=1), FIRST_DAY + timedelta(days=DAYS + 1))
ALL = 1_000_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = Database(tmp_path_factory.mktemp("series") / "store.duckdb", memory_limit=MEMORY)
    insert(opened, history())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def stored(database: Database) -> list[FailureRecord]:
    return Failures(database.read()).page(FailureFilter(), ALL).failures


def value(failure: FailureRecord, dimension: Dimension) -> str:
    """What a failure is told apart by, without SQL."""
    if dimension is Dimension.ERROR_GROUP:
        return CATEGORIES[Category(failure.category)].group.value
    if dimension is Dimension.RETRYABLE:
        return str(failure.retryable).lower()
    return str(getattr(failure, dimension.value))


def holds(condition: Condition, failure: FailureRecord) -> bool:
    """Whether a condition holds, without SQL."""
    if condition.key in set(Measure):
        number, wanted = getattr(failure, condition.key), float(condition.values[0])
        if condition.comparison is Comparison.BELOW:
            return bool(number < wanted)
        if condition.comparison is Comparison.ABOVE:
            return bool(number > wanted)
        return (number == wanted) is (condition.comparison is Comparison.IN)
    found = value(failure, Dimension(condition.key))
    if condition.comparison in (Comparison.IN, Comparison.NOT_IN):
        return (found in condition.values) is (condition.comparison is Comparison.IN)
    matched = re.fullmatch(condition.values[0], found) is not None
    return matched is (condition.comparison is Comparison.MATCHES)


texts = st.one_of(
    st.builds(
        Condition,
        st.sampled_from([d for d in Dimension if d is not Dimension.FAILURE_GROUP]),
        st.sampled_from([Comparison.IN, Comparison.NOT_IN]),
        st.lists(
            st.sampled_from(
                ["orders", "events", "ingest", "connection", "network", "true", "open"]
            ),
            min_size=1,
        ).map(tuple),
    ),
    st.builds(
        Condition,
        st.sampled_from([d for d in Dimension if d is not Dimension.FAILURE_GROUP]),
        st.sampled_from([Comparison.MATCHES, Comparison.MATCHES_NOT]),
        st.sampled_from([".*", "o.*", "(a|orders|.*ion)", "[a-n]+", "x{3}", "unmatched"]).map(
            lambda pattern: (pattern,)
        ),
    ),
    st.builds(
        Condition,
        st.sampled_from(list(Measure)),
        st.sampled_from([Comparison.BELOW, Comparison.ABOVE, Comparison.IN, Comparison.NOT_IN]),
        st.sampled_from(["0.5", "1.0", "2.0"]).map(lambda number: (number,)),
    ),
)
conditions = st.lists(texts, max_size=2).map(tuple)
dimensions = st.lists(st.sampled_from(list(Dimension)), unique=True, max_size=3)


@pytest.mark.requirement("M4")
@settings(max_examples=150, deadline=None)
@given(
    f=any_filter,
    more=conditions,
    by=dimensions,
    step=st.sampled_from([step for step in STEPS if step >= timedelta(minutes=15)]),
    most=st.integers(1, 30),
)
def test_series_add_up_to_the_failures_that_match_in_every_stretch(
    database: Database,
    stored: list[FailureRecord],
    f: FailureFilter,
    more: tuple[Condition, ...],
    by: list[Dimension],
    step: timedelta,
    most: int,
) -> None:
    since, until = f.since or EVERYTHING[0], f.until or EVERYTHING[1]
    f = msgspec.structs.replace(f, since=since, until=until, conditions=more)
    grid = Grid.over(since, until, step)
    answer = failure_series(database.read(), f, by, grid, most)
    matching = [one for one in stored if matches(f, one) and all(holds(each, one) for each in more)]
    assert Failures(database.read()).total(f) == len(matching)
    expected = Counter((one.error_time - grid.first) // step for one in matching)
    counted: Counter[int] = Counter()
    for series in answer.series:
        assert len(series.values) == grid.count
        counted.update({n: count for n, (count,) in enumerate(series.values) if count})
    assert counted == expected
    assert_by_value(answer.series, matching, by, most)


def assert_by_value(
    found: list[Series], matching: list[FailureRecord], by: list[Dimension], most: int
) -> None:
    """The largest series are there, each with its total, and the others as one."""
    totals = Counter(tuple(value(one, d) for d in by) for one in matching)
    own = {s.key: sum(n for (n,) in s.values) for s in found if s.key is not None}
    assert len(own) == min(most, len(totals)) or (not totals and not by)
    assert all(totals[key] == n for key, n in own.items() if key is not None)
    assert sorted(own.values(), reverse=True) == sorted(totals.values(), reverse=True)[
        : len(own)
    ] or (not matching)


@pytest.mark.requirement("M4")
@settings(max_examples=60, deadline=None)
@given(f=any_filter, more=conditions, limit=st.integers(1, 20), offset=st.integers(0, 400))
def test_a_page_at_an_offset_is_what_follows_so_many_failures(
    database: Database, f: FailureFilter, more: tuple[Condition, ...], limit: int, offset: int
) -> None:
    failures = Failures(database.read())
    f = msgspec.structs.replace(f, conditions=more)
    everything = failures.page(f, ALL).failures
    page = failures.answer_at(f, limit, offset)
    assert page.failures == everything[offset : offset + limit]
    assert page.total == len(everything)
    if page.next_cursor:
        following = failures.page(f, limit, page.next_cursor).failures
        assert following == everything[offset + limit : offset + 2 * limit]


@pytest.mark.requirement("M4")
@given(
    seconds=st.floats(0, 900 * 365 * 86400),
    length=st.timedeltas(timedelta(0), timedelta(days=40_000)),
    most=st.integers(1, 2000),
)
def test_stretches_cover_a_time_without_gaps_and_are_no_more_than_wanted(
    seconds: float, length: timedelta, most: int
) -> None:
    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    until = since + length
    grid = Grid.choose(since, until, most)
    assert grid.count <= max(most, 2)
    starts = grid.starts()
    if length:
        assert starts[0] <= since < starts[0] + grid.step
        assert starts[-1] < until <= starts[-1] + grid.step
    else:
        assert grid.count <= 1


@pytest.mark.requirement("M4")
def test_series_of_runs_count_each_run_and_its_items_once(database: Database) -> None:
    f = RunFilter(since=EVERYTHING[0], until=EVERYTHING[1])
    grid = Grid.choose(*EVERYTHING, 20)
    answer = run_series(database.read(), f, [Dimension.PIPELINE, Dimension.SOURCE], grid, 2)
    rows = database.read().rows("SELECT pipeline, source, count(*) FROM runs GROUP BY ALL")
    points = [RunFigures(*values) for series in answer.series for values in series.values]
    assert sum(point.runs for point in points) == sum(n for *_, n in rows)
    assert answer.others == len(rows) - 2
    assert answer.series[-1].key is None
    assert all((point.median is None) is (point.runs == 0) for point in points)


@given(more=conditions)
def test_a_filter_with_conditions_can_be_stored(more: tuple[Condition, ...]) -> None:
    f = FailureFilter(conditions=more)
    assert msgspec.json.decode(msgspec.json.encode(f), type=FailureFilter) == f


@pytest.mark.requirement("X4")
@pytest.mark.parametrize("pattern", ["(a", "a{2000}", "(a{1000}){1000}", "(?<n>a)\\1"])
def test_a_pattern_that_cannot_be_matched_in_bounded_time_is_refused(
    database: Database, pattern: str
) -> None:
    condition = Condition(Dimension.SOURCE, Comparison.MATCHES, (pattern,))
    with pytest.raises(InvalidQuery, match="source: expected a regular expression"):
        Failures(database.read()).total(FailureFilter(conditions=(condition,)))


@pytest.mark.requirement("M4")
def test_a_report_that_takes_too_long_is_ended_and_the_next_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "store.duckdb", memory_limit=MEMORY)
    endless = "SELECT sum(sqrt(a.range * b.range)) FROM range(10000000) a, range(10000000) b"
    try:
        with monkeypatch.context() as patched:
            patched.setattr(reading, "REPORT_SECONDS", 0.05)
            with pytest.raises(QueryTooLong, match="longer than"):
                database.read(Need.REPORT).rows(endless)
        with database.read(Need.REPORT) as reader:
            assert reader.rows("SELECT 1") == [(1,)]
    finally:
        database.close()


def test_an_interruption_that_was_overlooked_is_repeated_until_the_end() -> None:
    calls, again = list[int](), threading.Event()

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == 2:
            again.set()

    with Deadline(interrupt, 0.0):
        assert again.wait(PATIENCE)
    known = len(calls)
    with Deadline(interrupt, 3600.0):
        pass
    assert len(calls) == known
