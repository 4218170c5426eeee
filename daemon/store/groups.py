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
from daemon.store.sql import SQL, query
from daemon.taxonomy import FailureStatus, GroupDecision, GroupState

_BY_STATUS = ", ".join(
    f"coalesce(sum(n) FILTER (status = '{s.value}'), 0) AS {s.value}" for s in FailureStatus
)
_SUMS = ", ".join(f"sum({s.value})::BIGINT AS {s.value}" for s in FailureStatus)
_PENDING = f"status IN ({', '.join(repr(s.value) for s in PENDING)})"
_ORDER = "ORDER BY open DESC, last_seen DESC, failure_group"


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
        sql = query("group_ids", found=found.sql, tail=_ORDER)
        ids = [group for (group,) in self._reader.rows(sql, found.parameters)]
        states = self.states(ids, now)
        ids = [group for group in ids if states[group] is state]
        chosen = ids[offset : offset + limit]
        where = f"WHERE list_contains(?, failure_group) {_ORDER}"
        return self._standing(self._records(found, where, [chosen]), now), len(ids)

    def get(self, group: str, now: datetime) -> StandingGroup:
        """One whole group. Raises `NotFound`."""
        members = list(self.members(group))
        its = Where(f"{SQL['every_failure']} WHERE list_contains(?, failure_group)", [members])
        records = self._records(_found(self.as_shown(its)), "", [])
        if not records:
            raise NotFound("there is no failure group of that id")
        return self._standing(records, now)[0]

    def sources(self, group: str, limit: int, offset: int = 0) -> tuple[list[GroupSource], int]:
        """The sources that a group's failures are of, most failures first, and how many there are."""
        rows = self._reader.rows(
            query("group_sources", pending=_PENDING), [list(self.members(group))]
        )
        found = [GroupSource(*map(utc, row)) for row in rows]
        return found[offset : offset + limit], len(found)

    def members(self, group: str) -> tuple[str, ...]:
        """The groups that are shown as one with `group`, in any order."""
        rows = self._reader.rows(SQL["group_members"], [group, group])
        return tuple(member for (member,) in rows)

    def merges(self) -> dict[str, str]:
        """Groups that were merged into others, and the groups that they are shown as."""
        return dict(self._reader.rows(SQL["merges"]))

    def holding(self, members: Collection[str], text: str) -> tuple[int, int]:
        """How many failures of some groups have a message that holds `text`, and how many there are."""
        row = self._reader.row(SQL["failures_holding"], [text, list(members)])
        return (row[0], row[1]) if row else (0, 0)

    def own_groups(self, members: Collection[str], failures: Collection[int]) -> dict[int, str]:
        """Those of the failures that are of some groups, and the group each is stored with."""
        numbers = [number for number in failures if 0 < number < 2**63]
        return dict(self._reader.rows(SQL["own_groups"], [numbers, list(members)]))

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
        rows = self._reader.rows(query("decisions", columns=select(DecisionRecord)), [list(groups)])
        return {row[0]: DecisionRecord(*map(utc, row)) for row in rows}

    def _standing(self, records: list[GroupRecord], now: datetime) -> list[StandingGroup]:
        ids = [record.failure_group for record in records]
        states, decisions, splits = self.states(ids, now), self.decisions(ids), self._splits(ids)
        merged: dict[str, list[str]] = {}
        for into, one in self._reader.rows(SQL["merged_into"]):
            merged.setdefault(into, []).append(one)
        return [
            StandingGroup(
                record, states[one], decisions.get(one), merged.get(one, []), splits.get(one)
            )
            for one, record in zip(ids, records, strict=True)
        ]

    def _splits(self, groups: Sequence[str]) -> dict[str, SplitRecord]:
        rows = self._reader.rows(SQL["splits_of_groups"], [list(groups)])
        return {row[0]: SplitRecord(*row) for row in rows}

    def _records(self, found: Where, tail: str, parameters: list[Any]) -> list[GroupRecord]:
        sql = query("groups", found=found.sql, columns=select(GroupRecord), tail=tail)
        rows = self._reader.rows(sql, [*found.parameters, *parameters])
        return [GroupRecord(*map(utc, row)) for row in rows]

    def _count(self, found: Where) -> int:
        row = self._reader.row(query("count_groups", found=found.sql), found.parameters)
        return int(row[0]) if row else 0

    def _wanted(self, groups: Sequence[str]) -> Where:
        """A relation of the groups that are shown as some groups (`member`, `shown`)."""
        asked = set(groups)
        shown = {group: group for group in groups} | {
            member: group for member, group in self.merges().items() if group in asked
        }
        return Where(SQL["wanted_groups"], [list(shown), list(shown.values())])

    def _tallies(self, wanted: Where) -> dict[str, _Tally]:
        rows = self._reader.rows(
            query("group_tallies", pending=_PENDING, wanted=wanted.sql), wanted.parameters
        )
        return {group: _Tally(*map(utc, row)) for group, *row in rows}

    def _times(self, wanted: Where) -> dict[str, tuple[datetime | None, datetime | None]]:
        """The newest pending failure of each group, and the newest that came when none was pending."""
        pending = self._reader.rows(
            query("pending_times", wanted=wanted.sql, pending=_PENDING), wanted.parameters
        )
        if not pending:
            return {}
        shown, oldest, newest = map(list, zip(*pending, strict=True))
        rows = self._reader.rows(
            query("return_times", pending=_PENDING, wanted=wanted.sql),
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
    """Groups with their numbers, as common table expressions."""
    sql = query("groups_found", counted=relation.sql, by_status=_BY_STATUS, sums=_SUMS)
    return Where(sql, relation.parameters)
