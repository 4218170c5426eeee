"""A daemon over a store whose content, with all times, is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon import events
from daemon.store.database import Database
from daemon.store.entries import Entry
from daemon.triage.taxonomy import Category, RunStatus, Trigger
from tests.unit.api_support import CONFIG, Served, serving
from tests.unit.spine_support import MEMORY, assessed, ended, failed, insert, started

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST, SECOND, THIRD, FOURTH = (
    f"{day}T{time}000-0000000{number}"
    for number, (day, time) in enumerate(
        [
            ("20261119", "093000"),
            ("20261120", "100000"),
            ("20261120", "103000"),
            ("20261120", "110000"),
        ],
        1,
    )
)
REFUSED = assessed("login refused", category=Category.AUTHENTICATION, group="a0a0a0a0a0a0a0a0")
BROKEN = assessed("connection reset", category=Category.CONNECTION, group="c0c0c0c0c0c0c0c0")


def at(run_id: str, seconds: float = 0) -> datetime:
    """So many seconds after a run began."""
    began = datetime.strptime(run_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    return began + timedelta(seconds=seconds)


def mail(source: str) -> dict[str, str]:
    return {"pipeline": "mailbox", "source": source}


def content() -> list[Entry]:
    """Four runs: sales fails in part, a day later support as a whole, sales again, orders works."""
    cycle = {"cycle_id": "20261120T095959000-00000009", "pipeline": "mailbox"}
    return [
        started(FIRST, at(FIRST), **mail("sales")),
        failed(FIRST, "1.eml", at(FIRST, 5), assessment=BROKEN, **mail("sales")),
        ended(FIRST, RunStatus.PARTIAL, at(FIRST, 30), duration_seconds=30.0, **mail("sales")),
        Entry(
            events.CycleStarted(
                **cycle,
                at=at(SECOND),
                trigger=Trigger.SCHEDULE,
                sources=("support", "sales"),
            )
        ),
        started(SECOND, at(SECOND), **mail("support")),
        failed(SECOND, None, at(SECOND, 2), assessment=REFUSED, **mail("support")),
        ended(
            SECOND,
            RunStatus.FAILED,
            at(SECOND, 4),
            duration_seconds=4.0,
            category=Category.AUTHENTICATION,
            **mail("support"),
        ),
        started(THIRD, at(THIRD), **mail("sales")),
        failed(THIRD, "2.eml", at(THIRD, 1), assessment=BROKEN, **mail("sales")),
        failed(THIRD, "=3.eml", at(THIRD, 2), assessment=BROKEN, **mail("sales")),
        ended(THIRD, RunStatus.PARTIAL, at(THIRD, 10), duration_seconds=10.0, **mail("sales")),
        Entry(
            events.CycleEnded(
                **cycle, at=at(THIRD, 10), outcome=RunStatus.PARTIAL, duration_seconds=1810.0
            )
        ),
        started(FOURTH, at(FOURTH)),
        ended(FOURTH, RunStatus.SUCCESS, at(FOURTH, 2), duration_seconds=2.0),
    ]


@contextmanager
def reporting(folder: Path, config: str = CONFIG) -> Iterator[Served]:
    """The daemon with its API."""
    database = Database(folder / "data" / "triaged.duckdb", memory_limit=MEMORY)
    insert(database, content())
    database.close()
    with serving(folder, config) as served:
        yield served
