"""Reads failure groups: pages of them, one with its sources, and where each of them stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from daemon.errors import NotFound
from daemon.store.columns.failures import GroupRecord
from daemon.store.filters import Where, as_shown
from daemon.store.group_state import PENDING, GroupFacts, is_ignored, state_of
from daemon.store.reading import Reader
from daemon.store.records import (
    DecisionRecord,
    GroupSource,
    SplitRecord,
    select,
    utc,
)
from daemon.taxonomy import FailureStatus, GroupDecision, GroupState

_BY_STATUS = ", ".join(
    f"coalesce(sum(n) FILTER (status = '{s.value}'), 0) AS {s.value}" for s in FailureStatus
)
_SUMS = ", ".join(f"sum({s.value})::BIGINT AS {s.value}" for s in FailureStatus)
_PENDING = f"status IN ({', '.join(repr(s.value) for s in PENDING)})"
_ORDER = "ORDER BY open DESC, last_seen DESC, failure_group"

EVERY_FAILURE = Where("SELECT * FROM failure_tally", [])


class StandingGroup(NamedTuple):
    """A group with where it stands. The state is that of the whole group, whatever was asked for."""

    record: GroupRecord
    state: GroupState
    decision: DecisionRecord | None
    merged: list[str]
    """Groups that were merged into this one."""
    split: SplitRecord | None
    """How it came about, when it was split off from another."""


class _Tally(NamedTuple):
    """What the tally says of a whole group."""

    pending: int
    total: int
    last_seen: datetime


class Groups:
    """Queries over failure groups. A group that was merged into another is found as that one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def page(
        self,
        relation: Where,
        now: datetime,
        limit: int,
        offset: int = 0,
        state: GroupState | None = None,
    ) -> tuple[list[StandingGroup], int]:
        """Groups of a `counted` relation, most open failures first, and how many groups there are."""
        found = _found(self.as_shown(relation))
        if state is None:
            records = self._records(found, f"{_ORDER} LIMIT ? OFFSET ?", [limit, offset])
            return self._standing(records, now), self._count(found)
        sql = f"WITH {found.sql} SELECT failure_group FROM found {_ORDER}"
        ids = [group for (group,) in self._reader.rows(sql, found.parameters)]
        states = self.states(ids, now)
        ids = [group for group in ids if states[group] is state]
        chosen = ids[offset : offset + limit]
        where = f"WHERE list_contains(?, failure_group) {_ORDER}"
        return self._standing(self._records(found, where, [chosen]), now), len(ids)

    def get(self, group: str, now: datetime) -> StandingGroup:
        """One whole group. Raises `NotFound`."""
        members = list(self.members(group))
        its = Where(f"{EVERY_FAILURE.sql} WHERE list_contains(?, failure_group)", [members])
        records = self._records(_found(self.as_shown(its)), "", [])
        if not records:
            raise NotFound("there is no failure group of that id")
        return self._standing(records, now)[0]

    def sources(self, group: str, limit: int, offset: int = 0) -> tuple[list[GroupSource], int]:
        """The sources that a group's failures are of, most failures first, and how many there are."""
        rows = self._reader.rows(
            f"""SELECT pipeline, source, sum(n)::BIGINT AS count,
                coalesce(sum(n) FILTER ({_PENDING}), 0)::BIGINT AS pending,
                max(last_seen) AS last_seen
            FROM failure_tally WHERE list_contains(?, failure_group)
            GROUP BY pipeline, source HAVING sum(n) > 0
            ORDER BY count DESC, pipeline, source""",
            [list(self.members(group))],
        )
        found = [GroupSource(*map(utc, row)) for row in rows]
        return found[offset : offset + limit], len(found)

    def members(self, group: str) -> tuple[str, ...]:
        """The groups that are shown as one with `group`, in any order."""
        rows = self._reader.rows(
            "WITH root AS (SELECT coalesce((SELECT shown_as FROM group_merges "
            "WHERE failure_group = ?), ?) AS id) SELECT id FROM root UNION ALL "
            "SELECT failure_group FROM group_merges, root WHERE shown_as = root.id",
            [group, group],
        )
        return tuple(member for (member,) in rows)

    def merges(self) -> dict[str, str]:
        """Groups that were merged into others, and the groups that they are shown as."""
        return dict(self._reader.rows("SELECT failure_group, shown_as FROM group_merges"))

    def holding(self, members: Collection[str], text: str) -> tuple[int, int]:
        """How many failures of some groups have a message that holds `text`, and how many there are."""
        row = self._reader.row(
            "SELECT count(*) FILTER (contains(error_message, ?)), count(*) FROM failures "
            "WHERE list_contains(?, failure_group)",
            [text, list(members)],
        )
        return (row[0], row[1]) if row else (0, 0)

    def own_groups(self, members: Collection[str], failures: Collection[int]) -> dict[int, str]:
        """Those of the failures that are of some groups, and the group each is stored with."""
        return dict(
            self._reader.rows(
                "SELECT id, failure_group FROM failures "
                "WHERE id IN (SELECT unnest(?::BIGINT[])) AND list_contains(?, failure_group)",
                [[number for number in failures if 0 < number < 2**63], list(members)],
            )
        )

    def as_shown(self, relation: Where) -> Where:
        """The same relation with the groups under which failures are shown."""
        return as_shown(relation) if self.merges() else relation

    def states(self, groups: Sequence[str], now: datetime) -> dict[str, GroupState]:
        """Where groups stand."""
        decisions = self.decisions(groups)
        tallies = self._tallies(self._wanted(groups))
        unclear = [
            group for group in groups if _is_unclear(tallies[group], decisions.get(group), now)
        ]
        times = self._times(self._wanted(unclear)) if unclear else {}
        facts = {
            group: GroupFacts(tallies[group].pending, *times.get(group, (None, None)))
            for group in groups
        }
        return {group: state_of(decisions.get(group), facts[group], now) for group in groups}

    def decisions(self, groups: Sequence[str]) -> dict[str, DecisionRecord]:
        """What was decided about those of the groups that anything was decided about."""
        rows = self._reader.rows(
            f"SELECT {select(DecisionRecord)} FROM group_decisions "
            "WHERE failure_group IN (SELECT unnest(?::VARCHAR[]))",
            [list(groups)],
        )
        return {row[0]: DecisionRecord(*map(utc, row)) for row in rows}

    def _standing(self, records: list[GroupRecord], now: datetime) -> list[StandingGroup]:
        ids = [record.failure_group for record in records]
        states, decisions, splits = self.states(ids, now), self.decisions(ids), self._splits(ids)
        merged: dict[str, list[str]] = {}
        for into, one in self._reader.rows(
            "SELECT merged_into, failure_group FROM group_merges ORDER BY failure_group"
        ):
            merged.setdefault(into, []).append(one)
        return [
            StandingGroup(
                record, states[one], decisions.get(one), merged.get(one, []), splits.get(one)
            )
            for one, record in zip(ids, records, strict=True)
        ]

    def _splits(self, groups: Sequence[str]) -> dict[str, SplitRecord]:
        rows = self._reader.rows(
            "SELECT split_group, any_value(split_from), nullif(any_value(text), '') "
            "FROM group_splits WHERE split_group IN (SELECT unnest(?::VARCHAR[])) "
            "GROUP BY split_group",
            [list(groups)],
        )
        return {row[0]: SplitRecord(*row) for row in rows}

    def _records(self, found: Where, tail: str, parameters: list[Any]) -> list[GroupRecord]:
        rows = self._reader.rows(
            f"WITH {found.sql} SELECT {select(GroupRecord)} "
            f"FROM found JOIN failure_groups USING (failure_group) {tail}",
            [*found.parameters, *parameters],
        )
        return [GroupRecord(*map(utc, row)) for row in rows]

    def _count(self, found: Where) -> int:
        row = self._reader.row(f"WITH {found.sql} SELECT count(*) FROM found", found.parameters)
        return int(row[0]) if row else 0

    def _wanted(self, groups: Sequence[str]) -> Where:
        """A relation of the groups that are shown as some groups (`member`, `shown`)."""
        asked = set(groups)
        shown = {group: group for group in groups} | {
            member: group for member, group in self.merges().items() if group in asked
        }
        return Where(
            "SELECT unnest(?::VARCHAR[]) AS member, unnest(?::VARCHAR[]) AS shown",
            [list(shown), list(shown.values())],
        )

    def _tallies(self, wanted: Where) -> dict[str, _Tally]:
        rows = self._reader.rows(
            f"SELECT shown, coalesce(sum(n) FILTER ({_PENDING}), 0)::BIGINT, "
            f"sum(n)::BIGINT, max(last_seen) FROM failure_tally JOIN ({wanted.sql}) "
            "ON member = failure_group GROUP BY shown",
            wanted.parameters,
        )
        return {group: _Tally(*map(utc, row)) for group, *row in rows}

    def _times(self, wanted: Where) -> dict[str, tuple[datetime | None, datetime | None]]:
        """The newest pending failure of each group, and the newest that came when none was pending.

        A failure lasts from when it occurred until it was dealt with. From the oldest pending one on
        something is always pending, so only the failures up to that one have to be put in order.
        """
        pending = self._reader.rows(
            f"SELECT shown, min(error_time), max(error_time) FROM failures JOIN ({wanted.sql}) "
            f"ON member = failure_group WHERE {_PENDING} GROUP BY shown",
            wanted.parameters,
        )
        if not pending:
            return {}
        shown, oldest, newest = map(list, zip(*pending, strict=True))
        rows = self._reader.rows(
            f"""
            WITH lasting AS (
                SELECT shown, error_time,
                    CASE WHEN {_PENDING} THEN 'infinity'::TIMESTAMP
                         ELSE greatest(updated_at, error_time) END AS ended
                FROM failures JOIN ({wanted.sql}) ON member = failure_group
                JOIN (SELECT unnest(?::VARCHAR[]) AS shown, unnest(?::TIMESTAMP[]) AS oldest)
                USING (shown) WHERE error_time <= oldest AND error_time <= ?),
            in_order AS (
                SELECT *, max(ended) OVER (PARTITION BY shown ORDER BY error_time
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS all_ended
                FROM lasting)
            SELECT shown, max(error_time) FILTER (all_ended < error_time)
            FROM in_order GROUP BY shown""",
            [*wanted.parameters, shown, oldest, max(oldest)],
        )
        back: dict[str, datetime] = dict(rows)
        return {
            group: (utc(last), utc(back.get(group)))
            for group, last in zip(shown, newest, strict=True)
        }


def _is_unclear(tally: _Tally, decision: DecisionRecord | None, now: datetime) -> bool:
    """Whether the times of single failures matter, which take longer to find than counts."""
    if not tally.pending or (decision is not None and is_ignored(decision, now)):
        return False
    if decision is not None and decision.decision == GroupDecision.RESOLVED:
        return tally.last_seen > decision.as_of
    return tally.pending < tally.total


def _found(relation: Where) -> Where:
    """Groups with their numbers, as a common table expression.

    Summed up by source first: a list of distinct sources would take a table of its own for each group.
    """
    return Where(
        f"""by_source AS (
            SELECT failure_group, source, sum(n) AS n, {_BY_STATUS},
                   bool_or(retryable) AS retryable,
                   min(first_seen) AS first_seen, max(last_seen) AS last_seen,
                   coalesce(sum(n) FILTER (retryable), 0) AS retryable_count
            FROM ({relation.sql}) GROUP BY failure_group, source),
        found AS (
            SELECT failure_group, sum(n)::BIGINT AS count, {_SUMS},
                   bool_or(retryable) AS retryable, list(source ORDER BY source)[:20] AS sources,
                   min(first_seen) AS first_seen, max(last_seen) AS last_seen,
                   sum(retryable_count)::BIGINT AS retryable_count
            FROM by_source GROUP BY failure_group HAVING sum(n) > 0)""",
        relation.parameters,
    )
