"""Work that was asked for, kept until it is done: how it is written, and read at the next start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, assert_never

from daemon.events import AnyWorkEvent, Work, WorkChanged, WorkQueued
from daemon.store.database import Database
from daemon.store.records import utc
from daemon.store.rows import WorkRow
from daemon.store.sql import SQL
from daemon.store.tables import Tables
from daemon.taxonomy import Priority, Trigger, WorkState

_CHANGES = {
    WorkState.QUEUED: "release_work",
    WorkState.CLAIMED: "claim_work",
    WorkState.DONE: "finish_work",
}


class KeptWork(NamedTuple):
    """Work that an earlier process left."""

    work: Work
    claims: int
    """How often it had its turn and the daemon died in it."""
    begun: bool
    """Whether its cycle has begun."""


def write(tables: Tables, happened: Sequence[AnyWorkEvent]) -> None:
    """Writes what happened: each piece of work is asked for once, and before all else."""
    tables.run(SQL["queue_work"], [_row(e.work) for e in happened if isinstance(e, WorkQueued)])
    for event in happened:
        match event:
            case WorkQueued():
                pass
            case WorkChanged():
                tables.execute(SQL[_CHANGES[event.state]], [event.cycle_id, event.source])
            case _:
                assert_never(event)


def _row(work: Work) -> WorkRow:
    return WorkRow(
        cycle_id=work.cycle_id,
        pipeline=work.pipeline,
        source=work.source,
        started_by=work.trigger,
        priority=work.priority,
        asked_at=work.asked_at,
    )


def read(database: Database) -> list[KeptWork]:
    """All work, oldest first."""
    return [_kept(*map(utc, row)) for row in database.read().rows(SQL["read_work"])]


def _kept(
    cycle_id: str,
    pipeline: str,
    source: str,
    started_by: str,
    priority: str,
    asked_at: datetime,
    claims: int,
    begun: bool,
) -> KeptWork:
    work = Work(
        cycle_id=cycle_id,
        pipeline=pipeline,
        source=source,
        trigger=Trigger(started_by),
        priority=Priority(priority),
        asked_at=asked_at,
    )
    return KeptWork(work, claims, begun)
