"""What the store keeps of meters: one row a meter, as its newest run found it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from importlib import resources

import duckdb

from daemon.clock import Clock
from daemon.events import Facts, ItemSucceeded, LedgerChanged
from daemon.store.database import Database
from daemon.store.ledger import FailureRows, ItemDecision, Ledger, LedgerBatch, Outcome
from daemon.store.records import select, utc
from daemon.store.rows import Row
from daemon.store.sql import read_statements
from daemon.store.tables import Tables
from daemon.taxonomy import FailureStatus
from tests.support.meters.kind import MeterIgnored, MeterRead

SQL = read_statements("tests.support.meters")


class MeterRow(Row, frozen=True):
    """A meter."""

    source: str
    meter: str
    value: float | None
    category: str | None
    attempt: int
    run_id: str
    read_at: datetime
    ignored: bool


class MetersBatch(LedgerBatch):
    """What one batch says of meters."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], tuple[MeterRead, Outcome]] = {}
        self._ignored: list[MeterIgnored] = []

    def add(self, facts: Facts, outcome: Outcome) -> None:
        assert isinstance(facts, MeterRead)
        event = outcome if isinstance(outcome, ItemSucceeded) else outcome.event
        self._read[event.source, facts.meter] = (facts, outcome)

    def change(self, facts: Facts, event: LedgerChanged) -> Iterable[ItemDecision]:
        assert isinstance(facts, MeterIgnored)
        self._ignored.append(facts)
        return [ItemDecision("meters", facts.source, facts.meter, FailureStatus.IGNORED)]

    def write(self, tables: Tables, failure_rows: FailureRows) -> None:
        tables.run(SQL["replace_meters"], [_row(*it, failure_rows) for it in self._read.values()])
        for one in self._ignored:
            tables.execute(SQL["ignore_meter"], [one.source, one.meter])


def _row(facts: MeterRead, outcome: Outcome, failure_rows: FailureRows) -> MeterRow:
    if isinstance(outcome, ItemSucceeded):
        event, category, attempt = outcome, None, 0
    else:
        failure = failure_rows(outcome)
        event, category, attempt = outcome.event, failure.category, failure.attempt
    return MeterRow(
        source=event.source,
        meter=facts.meter,
        value=facts.value,
        category=category,
        attempt=attempt,
        run_id=event.run_id,
        read_at=event.at,
        ignored=False,
    )


class Meters:
    """Reads the meters."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._reader = database.read()

    def all(self) -> list[MeterRow]:
        """All meters by name."""
        rows = self._reader.rows(f"SELECT {select(MeterRow)} FROM meters ORDER BY ALL")
        return [MeterRow(*map(utc, row)) for row in rows]

    def ignored(self, source: str) -> set[str]:
        """Those that are to be left alone."""
        return {row.meter for row in self.all() if row.source == source and row.ignored}


def _forget_before(connection: duckdb.DuckDBPyConnection, start: datetime) -> None:
    connection.execute(SQL["expire_meters"], [start])


LEDGER = Ledger(
    name="meters",
    batch=MetersBatch,
    of_items=(MeterRead,),
    of_changes=(MeterIgnored,),
    reader=Meters,
    forget_before=_forget_before,
    migrations=resources.files("tests.support.meters") / "migrations",
)
