"""Filters over failures, and the SQL they become: fixed fragments, values only as parameters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from daemon.store.records import midnight, stored
from daemon.store.report_conditions import (
    FAILURE_COLUMNS,
    NOT_TALLIED,
    Condition,
    fragments,
)
from daemon.store.sql import SQL, query
from daemon.taxonomy import CATEGORIES


class FailureFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which failures. What is None does not restrict."""

    pipeline: str | None = None
    source: str | None = None
    category: str | None = None
    group: str | None = None
    retryable: bool | None = None
    status: str | None = None
    since: datetime | None = None
    """Inclusive."""
    until: datetime | None = None
    """Exclusive."""
    q: str | None = None
    """Text in the message, the item or the advice, in any case."""
    run_id: str | None = None
    failure_group: str | None = None
    members: tuple[str, ...] | None = None
    """The groups that `failure_group` is shown for, when it is not for itself alone."""
    accounts: tuple[tuple[str, str], ...] | None = None
    """Pipeline and source of the accounts that an e-mail address belongs to."""
    conditions: tuple[Condition, ...] = ()
    """What else must hold."""

    @property
    def needs_failures(self) -> bool:
        """Whether the tally of days cannot answer it."""
        return bool(
            self.q or self.run_id is not None or any(c.key in NOT_TALLIED for c in self.conditions)
        )


class Where(NamedTuple):
    """Conditions joined by AND, with their parameters."""

    sql: str
    parameters: list[Any]

    def __add__(self, other: object) -> Where:
        assert isinstance(other, Where)
        return Where(f"{self.sql} AND {other.sql}", self.parameters + other.parameters)


def by_kind(f: FailureFilter) -> Where:
    """The conditions that the tally can answer too."""
    parts, parameters = ["true"], list[Any]()
    for column in ("pipeline", "source", "category", "retryable", "status"):
        value = getattr(f, column)
        if value is not None:
            parts.append(f"{column} = ?")
            parameters.append(value)
    if f.members is not None:
        parts.append("list_contains(?, failure_group)")
        parameters.append(f.members)
    elif f.failure_group is not None:
        parts.append("failure_group = ?")
        parameters.append(f.failure_group)
    if f.group is not None:
        parts.append("list_contains(?, category)")
        parameters.append([c.value for c, facts in CATEGORIES.items() if facts.group == f.group])
    if f.accounts is not None:
        parts.append("list_contains(?, pipeline || chr(31) || source)")
        parameters.append([f"{pipeline}\x1f{source}" for pipeline, source in f.accounts])
    tallied = (c for c in f.conditions if c.key not in NOT_TALLIED)
    return Where(" AND ".join(parts), parameters) + _all_of(tallied)


def by_text(f: FailureFilter) -> Where:
    """The conditions that only the failures themselves can answer."""
    parts, parameters = ["true"], list[Any]()
    if f.run_id is not None:
        parts.append("run_id = ?")
        parameters.append(f.run_id)
    if f.q:
        texts = ("error_message", "item", "user_message", "source")
        parts.append("(" + " OR ".join(f"contains(lower({t}), ?)" for t in texts) + ")")
        parameters += [f.q.lower()] * len(texts)
    others = (c for c in f.conditions if c.key in NOT_TALLIED)
    return Where(" AND ".join(parts), parameters) + _all_of(others)


def _all_of(conditions: Iterable[Condition]) -> Where:
    parts, parameters = fragments(conditions, FAILURE_COLUMNS)
    return Where(" AND ".join(["true", *parts]), parameters)


def by_time(since: datetime | None, until: datetime | None) -> Where:
    """From `since` to before `until`."""
    parts, parameters = ["true"], list[Any]()
    if since is not None:
        parts.append("error_time >= ?")
        parameters.append(stored(since))
    if until is not None:
        parts.append("error_time < ?")
        parameters.append(stored(until))
    return Where(" AND ".join(parts), parameters)


def counted(f: FailureFilter) -> Where:
    """A relation of failures to sum up (columns of failure_tally), exact for any filter.

    Whole days come from the tally, so a total over months costs next to nothing; the ends of the
    time range, and filters that the tally cannot answer, are counted from the failures.
    """
    kind = by_kind(f)
    if f.needs_failures:
        where = kind + by_text(f) + by_time(f.since, f.until)
        return Where(query("counted_from_failures", where=where.sql), where.parameters)
    first, last = _whole_days(f.since, f.until)
    if first is not None and last is not None and first >= last:
        where = kind + by_time(f.since, f.until)
        return Where(query("counted_from_failures", where=where.sql), where.parameters)
    parts = [_tally_between(kind, first, last)]
    if f.since is not None and first is not None and stored(f.since) != stored(first):
        parts.append(_rows_between(kind, f.since, first))
    if f.until is not None and last is not None and stored(f.until) != stored(last):
        parts.append(_rows_between(kind, last, f.until))
    return Where(" UNION ALL ".join(p.sql for p in parts), [v for p in parts for v in p.parameters])


SHOWN_GROUP = "coalesce(shown_as, failure_group)"
"""The group under which a row is shown that `with_merges` is joined to."""


def as_shown(relation: Where) -> Where:
    """The same relation with the groups under which failures are shown."""
    return Where(
        query(
            "as_shown",
            shown_group=SHOWN_GROUP,
            counted=relation.sql,
            with_merges=SQL["with_merges"],
        ),
        relation.parameters,
    )


def each_counted(f: FailureFilter) -> Where:
    """The failures that match, each with `n`, to sum up by what the tally does not know."""
    where = by_kind(f) + by_text(f) + by_time(f.since, f.until)
    return Where(query("each_failure_counted", where=where.sql), where.parameters)


def _whole_days(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """The midnights between which the range holds whole days."""
    first = last = None
    if since is not None:
        first = midnight(stored(since).date()).replace(tzinfo=UTC)
        if first < since:
            first += timedelta(days=1)
    if until is not None:
        last = midnight(stored(until).date()).replace(tzinfo=UTC)
    return first, last


def _tally_between(kind: Where, first: datetime | None, last: datetime | None) -> Where:
    sql, parameters = kind.sql, list(kind.parameters)
    if first is not None:
        sql += " AND day >= ?"
        parameters.append(stored(first).date())
    if last is not None:
        sql += " AND day < ?"
        parameters.append(stored(last).date())
    return Where(query("counted_from_tally", where=sql), parameters)


def _rows_between(kind: Where, since: datetime, until: datetime) -> Where:
    where = kind + by_time(since, until)
    return Where(query("counted_from_failures", where=where.sql), where.parameters)
