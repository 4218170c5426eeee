"""Where a failure group stands: the one place that says so.

It follows from what a person decided last and from when failures occurred and were dealt with. The
order in which any of it was recorded makes no difference.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from daemon.store.records import DecisionRecord
from daemon.taxonomy import FailureStatus, GroupDecision, GroupState

PENDING = (FailureStatus.OPEN, FailureStatus.RETRYING)
"""Statuses of failures that nobody and nothing has dealt with yet."""


class GroupFacts(NamedTuple):
    """What a group's failures say. Times are those of occurrence, in UTC."""

    pending: int
    """How many failures nothing has dealt with."""
    newest_pending: datetime | None
    """When the newest of these occurred."""
    newest_return: datetime | None
    """The newest failure that occurred after all before it had been dealt with."""


def state_of(decision: DecisionRecord | None, facts: GroupFacts, now: datetime) -> GroupState:
    """The state of a group at `now`."""
    if decision is not None and is_ignored(decision, now):
        return GroupState.IGNORED
    if not facts.pending:
        return GroupState.RESOLVED
    since = None
    if decision is not None:
        if decision.decision == GroupDecision.RESOLVED:
            failed_again = _after(facts.newest_pending, decision.as_of)
            return GroupState.REGRESSED if failed_again else GroupState.RESOLVED
        since = decision.until or decision.as_of
    return GroupState.REGRESSED if _after(facts.newest_return, since) else GroupState.OPEN


def is_ignored(decision: DecisionRecord, now: datetime) -> bool:
    """Whether a group is ignored at `now`."""
    ignored = decision.decision == GroupDecision.IGNORED
    return ignored and (decision.until is None or now < decision.until)


def _after(moment: datetime | None, since: datetime | None) -> bool:
    return moment is not None and (since is None or moment > since)
