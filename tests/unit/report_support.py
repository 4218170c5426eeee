"""A daemon over a store whose content, with all times, is always the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daemon import events
from daemon.store.database import Database
from daemon.store.entries import Entry, RunSummary
from daemon.taxonomy import Category, RunState, RunStatus, Trigger
from tests.unit.api_support import CONFIG, Served, serving
from tests.unit.spine_support import MEMORY, assessed, failed, insert, who

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


CYCLE = "20261120T095959000-00000009"


def began(run_id: str, source: str, pipeline: str = "mailbox") -> Entry:
    """A run that begins; those of mail on the second day are of one cycle."""
    cycle = CYCLE if run_id in (SECOND, THIRD) else f"{run_id[:-1]}0"
    return Entry(
        events.RunStarted(
            **who(run_id, at(run_id), source, pipeline), cycle_id=cycle, trigger=Trigger.SCHEDULE
        )
    )


def broke(run_id: str, item: str | None, seconds: float, source: str) -> Entry:
    """A failure of mail."""
    cause = BROKEN if item else REFUSED
    moment = at(run_id, seconds)
    return failed(run_id, item, moment, assessment=cause, source=source, pipeline="mailbox")


def over(
    run_id: str,
    status: RunStatus,
    seconds: float,
    source: str,
    pipeline: str = "mailbox",
    **counts: int,
) -> Entry:
    """A run that ends."""
    event = events.RunEnded(
        **who(run_id, at(run_id, seconds), source, pipeline),
        status=status,
        state=RunState.ERROR if status is RunStatus.FAILED else RunState.COMPLETED,
        step="reading",
        duration_seconds=seconds,
        counts=events.Counts(**counts),
        progress_current=None,
        progress_total=None,
    )
    summary = RunSummary(0, None, None, None, None, ())
    if status is RunStatus.FAILED:
        advice = ("login refused", "The login was refused.", "Renew the password.")
        summary = RunSummary(0, Category.AUTHENTICATION, *advice, ())
    return Entry(event, summary=summary)


def content() -> list[Entry]:
    """Four runs: sales fails in part, a day later support as a whole, sales again, orders works."""
    cycle = {"cycle_id": CYCLE, "pipeline": "mailbox"}
    return [
        began(FIRST, "sales"),
        broke(FIRST, "1.eml", 5, "sales"),
        over(FIRST, RunStatus.PARTIAL, 30, "sales", succeeded=5, failed=1),
        Entry(
            events.CycleStarted(
                **cycle,
                at=at(SECOND),
                trigger=Trigger.SCHEDULE,
                sources=("support", "sales"),
            )
        ),
        began(SECOND, "support"),
        broke(SECOND, None, 2, "support"),
        over(SECOND, RunStatus.FAILED, 4, "support"),
        began(THIRD, "sales"),
        broke(THIRD, "2.eml", 1, "sales"),
        broke(THIRD, "=3.eml", 2, "sales"),
        over(THIRD, RunStatus.PARTIAL, 10, "sales", succeeded=7, failed=2, skipped=1),
        Entry(
            events.CycleEnded(
                **cycle, at=at(THIRD, 10), outcome=RunStatus.PARTIAL, duration_seconds=1810.0
            )
        ),
        began(FOURTH, "orders", "ingest"),
        over(FOURTH, RunStatus.SUCCESS, 2, "orders", "ingest", succeeded=1),
    ]


@contextmanager
def reporting(folder: Path, config: str = CONFIG) -> Iterator[Served]:
    """The daemon with its API."""
    database = Database(folder / "data" / "triaged.duckdb", memory_limit=MEMORY)
    insert(database, content())
    database.close()
    with serving(folder, config) as served:
        yield served
