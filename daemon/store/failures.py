"""Reads failures: pages, totals, groups, trends. Fast at any number of them.

A page is found in two steps: the tally says on which days there are matches, and of those days the
narrow columns say which rows are the newest, so that only those are read whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from daemon.errors import NotFound, PageTooLarge
from daemon.store.columns.failures import FailureRecord
from daemon.store.database import Database
from daemon.store.filters import (
    FailureFilter,
    Where,
    by_kind,
    by_text,
    by_time,
    counted,
    each_counted,
)
from daemon.store.groups import Groups, StandingGroup
from daemon.store.position import Position
from daemon.store.reading import Need, Reader
from daemon.store.records import (
    CountedTrend,
    SourceCategory,
    midnight,
    select,
    stored,
    utc,
)
from daemon.store.report_conditions import Condition, Dimension, check_patterns
from daemon.store.sql import SQL, query
from daemon.taxonomy import GroupState

_DAY = timedelta(days=1)
_FEW = 4
"""Matches, in pages, up to which it is faster to read them all whole than to look at them twice."""
_time_and_id = attrgetter("error_time", "id")
Day = tuple[date, int]
"""A day and a number of failures."""
Found = TypeVar("Found")
TrendKey = Literal["category", "pipeline", "source", "status", "failure_group"]


class FailurePage(NamedTuple):
    """Some of the failures that match, newest first."""

    failures: list[FailureRecord]
    next_cursor: str | None


class Answer(NamedTuple):
    """A page, and how many failures match in all, as of the same moment."""

    failures: list[FailureRecord]
    next_cursor: str | None
    total: int


def _position(failure: FailureRecord) -> Position:
    return Position(stored(failure.error_time), failure.id)


class Failures:
    """Queries over failures."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def page(self, f: FailureFilter, limit: int, cursor: str | None = None) -> FailurePage:
        """The newest `limit` failures that match, after `cursor`. Raises `InvalidQuery`."""
        f = self.narrowed(f)
        return self._page(f, limit, cursor, self.days(f))

    def answer(self, f: FailureFilter, limit: int, cursor: str | None = None) -> Answer:
        """The same with the number of all that match, which says as well on which days to look."""
        f = self.narrowed(f)
        days = self._counted_days(f)
        return Answer(*self._page(f, limit, cursor, days), sum(n for _, n in days))

    def answer_at(self, f: FailureFilter, limit: int, offset: int) -> Answer:
        """The same after the newest `offset` failures, which are only counted by the day."""
        f = self.narrowed(f)
        days = self._counted_days(f)
        total = sum(n for _, n in days)
        if offset >= total:
            return Answer([], None, total)
        cursor = str(self._position(f, offset, days)) if offset else None
        return Answer(*self._page(f, limit, cursor, days), total)

    def _position(self, f: FailureFilter, number: int, days: list[Day]) -> Position:
        """Where the match of that number (from 1, newest first) is."""
        totals = list(accumulate(matches for _, matches in days))
        place = bisect_left(totals, number)
        day, matches = days[place]
        where = by_kind(f) + by_text(f) + by_time(f.since, f.until)
        where += Stretch(day, day, matches).where()
        row = self._reader.row(
            query("failure_at", where=where.sql),
            [*where.parameters, number - (totals[place] - matches) - 1],
        )
        assert row is not None
        return Position(*row)

    def _page(
        self, f: FailureFilter, limit: int, cursor: str | None, days: list[Day]
    ) -> FailurePage:
        after = Position.parse(cursor) if cursor else None
        found = self._newest(f, limit + 1, after, days)
        failures, more = found[:limit], len(found) > limit
        return FailurePage(failures, str(_position(failures[-1])) if more else None)

    def get(self, failure_id: int) -> FailureRecord:
        """One failure. Raises `NotFound`."""
        rows = self._reader.rows(
            query("failure_by_id", columns=select(FailureRecord)), [failure_id]
        )
        if not rows:
            raise NotFound(f"there is no failure {failure_id}")
        return self._shown(rows)[0]

    def after(self, failure_id: int, limit: int) -> tuple[int, list[FailureRecord]]:
        """The highest id there is (0 without any), and the newest failures above `failure_id`.

        Ids leave no gaps, so their difference is how many failures were stored in between.
        """
        row = self._reader.row(SQL["newest_failure_id"])
        newest = int(row[0]) if row else 0
        if newest <= failure_id:
            return newest, []
        rows = self._reader.rows(
            query("failures_after", columns=select(FailureRecord)),
            [failure_id, limit],
        )
        return newest, self._shown(rows)

    def total(self, f: FailureFilter) -> int:
        """How many failures match, of all that are stored."""
        relation = counted(self.narrowed(f))
        row = self._reader.row(query("total", counted=relation.sql), relation.parameters)
        return int(row[0]) if row else 0

    def groups(
        self,
        f: FailureFilter,
        limit: int,
        offset: int = 0,
        *,
        now: datetime,
        state: GroupState | None = None,
    ) -> tuple[list[StandingGroup], int]:
        """Groups that match, most open failures first, and how many groups there are."""
        relation = counted(self.narrowed(f))
        return Groups(self._reader).page(relation, now, limit, offset, state)

    def trends(
        self, f: FailureFilter, key: TrendKey, step: timedelta, most: int = 100
    ) -> list[CountedTrend]:
        """Failures by stretches of `step` and by `key`, of the `most` frequent values of it.

        Whole days are read from the tally.
        """
        f = self.narrowed(f)
        if step % _DAY == timedelta(0):
            relation, time = counted(f), "day"
        else:
            relation, time = each_counted(f), "error_time"
        if key == "failure_group":
            relation = Groups(self._reader).as_shown(relation)
        rows = self._reader.rows(
            query("trend", key=key, time=time, counted=relation.sql),
            [step // timedelta(microseconds=1), *relation.parameters, most],
        )
        return [CountedTrend(utc(start), name, n) for start, name, n in rows]

    def counts(self, f: FailureFilter, key: TrendKey) -> dict[str, int]:
        """How many failures match, by `key`, largest first."""
        relation = counted(self.narrowed(f))
        if key == "failure_group":
            relation = Groups(self._reader).as_shown(relation)
        rows = self._reader.rows(
            query("counts_by_key", key=key, counted=relation.sql), relation.parameters
        )
        return dict(rows)

    def by_source(self, f: FailureFilter) -> list[SourceCategory]:
        """How many failures match, by source and category, largest first."""
        relation = counted(self.narrowed(f))
        rows = self._reader.rows(
            query("counts_by_source", counted=relation.sql), relation.parameters
        )
        return [SourceCategory(*row) for row in rows]

    def narrowed(self, f: FailureFilter) -> FailureFilter:
        """The same filter as the store needs it.

        A group is one with all that were merged with it, and of a run the time is known. Raises
        `InvalidQuery` for conditions that cannot be understood.
        """
        if f.conditions:
            check_patterns(self._reader, f.conditions)
            conditions = tuple(map(self._with_members, f.conditions))
            f = msgspec.structs.replace(f, conditions=conditions)
        if f.failure_group is not None and f.members is None:
            members = Groups(self._reader).members(f.failure_group)
            if members != (f.failure_group,):
                f = msgspec.structs.replace(f, members=members)
        if f.run_id is None:
            return f
        row = self._reader.row(SQL["times_of_run"], [f.run_id])
        if row is None:
            return f
        since = max(utc(row[0]), f.since) if f.since else utc(row[0])
        if row[1] is None:
            return msgspec.structs.replace(f, since=since)
        ended = utc(row[1]) + timedelta(seconds=1)
        return msgspec.structs.replace(f, since=since, until=min(ended, f.until or ended))

    def _with_members(self, condition: Condition) -> Condition:
        if condition.key != Dimension.FAILURE_GROUP:
            return condition
        groups = Groups(self._reader)
        members = dict.fromkeys(m for value in condition.values for m in groups.members(value))
        return msgspec.structs.replace(condition, values=tuple(members))

    def _newest(
        self, f: FailureFilter, limit: int, after: Position | None, days: list[Day]
    ) -> list[FailureRecord]:
        """The newest matches, from the days that hold any, in growing stretches."""
        if after is not None:
            days = [found for found in days if found[0] <= after.time.date()]
        found: list[FailureRecord] = []
        for stretch in stretches(days, limit, 1_000_000):
            found += self._scan(f, stretch, limit - len(found), after)
            if len(found) >= limit:
                break
        return found

    def _scan(
        self, f: FailureFilter, stretch: Stretch, limit: int, after: Position | None
    ) -> list[FailureRecord]:
        """The newest matches of a stretch.

        Of many matches only the newest are read whole, after narrow columns have said which they are.
        These come as they lie in the table: a sort here is faster than one of all columns there.
        """
        where = by_kind(f) + by_text(f) + by_time(f.since, f.until) + stretch.where()
        if after is not None:
            where += Where(
                "error_time <= ? AND (error_time, id) < (?, ?)", [after.time, after.time, after.id]
            )
        many = stretch.matches > _FEW * limit
        name = "newest_failures_of_many" if many else "newest_failures"
        sql = query(name, columns=select(FailureRecord), where=where.sql)
        rows = self._reader.rows(sql, [*where.parameters, limit])
        return sorted(self._shown(rows), key=_time_and_id, reverse=True)

    def _shown(self, rows: list[tuple[Any, ...]]) -> list[FailureRecord]:
        """Stored failures, each with the group under which it is shown."""
        found = list(map(FailureRecord.of, rows))
        merges = Groups(self._reader).merges() if found else {}
        return [
            msgspec.structs.replace(one, failure_group=merges[one.failure_group])
            if one.failure_group in merges
            else one
            for one in found
        ]

    def days(self, f: FailureFilter) -> list[Day]:
        """Days that may hold matches, newest first, by the tally: before filters of text."""
        where = by_kind(f)
        sql, parameters = where.sql, list[Any](where.parameters)
        if f.until is not None:
            sql += " AND day <= ?"
            parameters.append(stored(f.until).date())
        if f.since is not None:
            sql += " AND day >= ?"
            parameters.append(stored(f.since).date())
        return self._by_day(Where(query("days_of_tally", where=sql), parameters))

    def _counted_days(self, f: FailureFilter) -> list[Day]:
        """Days with matches, newest first, and exactly how many."""
        return self._by_day(counted(f))

    def _by_day(self, relation: Where) -> list[Day]:
        return self._reader.rows(query("tally_by_day", counted=relation.sql), relation.parameters)


class Stretch(NamedTuple):
    """Whole days that follow each other, and how many matches they may hold."""

    first: date
    last: date
    matches: int

    def bounds(self) -> tuple[datetime, datetime]:
        """When its first day begins and its last one ends."""
        return _aware(midnight(self.first)), _aware(midnight(self.last) + _DAY)

    def where(self) -> Where:
        """The times of these days."""
        return by_time(*self.bounds())


def stretches(days: list[Day], rows: int, most: int) -> Iterator[Stretch]:
    """Cuts days, newest first, into stretches.

    The first holds about `rows` matches, each further one twice as many, up to `most`.
    """
    start = 0
    while start < len(days):
        end, expected = start, 0
        while end < len(days) and expected < rows:
            expected += days[end][1]
            end += 1
        yield Stretch(days[end - 1][0], days[start][0], expected)
        start, rows = end, min(rows * 2, most)


def answer(database: Database, f: FailureFilter, limit: int, cursor: str | None = None) -> Answer:
    """A page with its total, which agree however much is recorded meanwhile."""
    return paged(database, lambda reader: Failures(reader).answer(f, limit, cursor))


def paged(database: Database, question: Callable[[Reader], Found]) -> Found:
    """What a question for a page finds. One that needs more memory than that is asked again, with all."""
    try:
        with database.read(Need.PAGE) as reader:
            return question(reader)
    except PageTooLarge:
        with database.read(Need.ALL) as reader:
            return question(reader)


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC)
