"""A kind with a table that only tests know: stored with its runs, read back, retried, decided about, expired."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from daemon.clock import FakeClock
from daemon.config import Settings, load
from daemon.event_codec import EventCodec
from daemon.events import LedgerChanged
from daemon.operations.decision import store_decision
from daemon.operations.retries.requests import RetryRequest
from daemon.service import Daemon
from daemon.store.filters import FailureFilter
from daemon.store.ledger import Ledgers
from daemon.store.migrate import migrate, newest_version
from daemon.taxonomy import Trigger
from tests.support.meters.kind import CONFIG, WITH_METERS, MeterIgnored, MeterRead
from tests.support.meters.ledger import MeterRow, Meters
from tests.unit.spine_support import PATIENCE, START, Store, started, succeeded, wait_for

LEDGERS = Ledgers.named(WITH_METERS.ledgers)


def settings(folder: Path, mode: str = "thread") -> Settings:
    file = folder / "triaged.toml"
    file.write_text(f"[pipelines.meters]\nmode = '{mode}'\n{CONFIG}")
    return load(file, WITH_METERS.record_of, {})


def start(folder: Path, clock: FakeClock | None = None, mode: str = "thread") -> Daemon:
    daemon = Daemon(settings(folder, mode), clock, kinds=WITH_METERS)
    daemon.start(schedule=False)
    return daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    opened = start(tmp_path, FakeClock(START))
    yield opened
    opened.stop(PATIENCE)


def show(daemon: Daemon, *lines: str) -> None:
    """What the meters show, read by a cycle."""
    (daemon.settings.base / "north.txt").write_text("\n".join(lines))
    meters = daemon.catalog.pipeline("meters")
    daemon.cycles.run(meters, list(meters.sources.values()), Trigger.MANUAL)
    assert daemon.writer.flush(PATIENCE)


def rows(daemon: Daemon) -> dict[str, MeterRow]:
    return {row.meter: row for row in Meters(daemon.database, daemon.clock).all()}


def statuses(daemon: Daemon) -> dict[str | None, str]:
    return {f.item: f.status for f in daemon.failures.page(FailureFilter(), 100).failures}


@pytest.mark.parametrize("mode", ["thread", "process"])
def test_its_rows_are_stored_and_read_back_wherever_it_runs(tmp_path: Path, mode: str) -> None:
    daemon = start(tmp_path, FakeClock(START), mode)
    try:
        show(daemon, "kitchen 1.5", "cellar ?")
        show(daemon, "kitchen 2.5", "cellar ?")
        kitchen, cellar = rows(daemon)["kitchen"], rows(daemon)["cellar"]
        assert (kitchen.value, kitchen.category, kitchen.attempt) == (2.5, None, 0)
        assert (cellar.value, cellar.category, cellar.attempt) == (None, "schema_mismatch", 2)
        run = daemon.runs.get(kitchen.run_id)
        assert (run.pipeline, run.succeeded, run.failed) == ("meters", 1, 1)
        assert daemon.writer.errors == 0
    finally:
        daemon.stop(PATIENCE)


@pytest.mark.requirement("X3")
def test_its_rows_are_stored_in_the_transaction_of_their_run_or_not_at_all(tmp_path: Path) -> None:
    target = Store(tmp_path, ledgers=LEDGERS)
    try:
        with target.database.writer.cursor() as cursor:
            cursor.execute("ALTER TABLE meters RENAME TO elsewhere")
        read = MeterRead(meter="kitchen", value=1.5)
        target.writer.put(started("run", pipeline="meters"))
        target.writer.put(succeeded("run", "kitchen", facts=read))
        target.writer.start()
        wait_for(lambda: target.writer.trouble)
        assert target.database.read().rows("SELECT run_id FROM runs") == []
        with target.database.writer.cursor() as cursor:
            cursor.execute("ALTER TABLE elsewhere RENAME TO meters")
        assert target.writer.flush(PATIENCE)
        (row,) = Meters(target.database, target.clock).all()
        assert target.database.read().rows("SELECT run_id FROM runs") == [(row.run_id,)]
    finally:
        target.close()


def test_its_failures_are_retried_and_its_rows_follow(daemon: Daemon) -> None:
    show(daemon, "kitchen 1.5", "cellar ?")
    assert statuses(daemon) == {"cellar": "open"}
    (daemon.settings.base / "north.txt").write_text("kitchen 1.5\ncellar 7")
    assert isinstance(daemon.clock, FakeClock)
    daemon.clock.advance(1)
    operation = daemon.retry_requests.ask(
        RetryRequest(include_not_retryable=True), selection="{}", asked_by="local"
    )
    daemon.retry_worker.start()
    wait_for(lambda: daemon.retries.get(operation.operation_id).ended_at is not None)
    assert statuses(daemon) == {"cellar": "resolved"}
    assert (rows(daemon)["cellar"].value, rows(daemon)["cellar"].attempt) == (7.0, 0)


def test_a_decision_of_its_own_changes_its_rows_and_the_failures_of_the_item(
    daemon: Daemon,
) -> None:
    show(daemon, "kitchen 1.5", "cellar ?")
    ignored = MeterIgnored(source="north", meter="cellar")
    store_decision(daemon.recorder, LedgerChanged(at=daemon.clock.now(), facts=ignored))
    assert rows(daemon)["cellar"].ignored
    assert statuses(daemon) == {"cellar": "ignored"}
    show(daemon, "kitchen 1.5", "cellar 7")
    assert rows(daemon)["cellar"].value is None  # its run asked which are to be left alone


def test_its_rows_expire(daemon: Daemon) -> None:
    assert isinstance(daemon.clock, FakeClock)
    show(daemon, "kitchen 1.5", "cellar 3")
    daemon.clock.advance(daemon.settings.config.store.retention / 2)
    show(daemon, "kitchen 2.5")
    daemon.clock.advance(daemon.settings.config.store.retention / 2 - 2 * 86400)
    for _ in range(3):  # one day alone could be that of a clock that is ahead
        daemon.clock.advance(86400)
        show(daemon, "kitchen 2.5")
    daemon.upkeep.forget()
    wait_for(lambda: "cellar" not in rows(daemon))
    assert set(rows(daemon)) == {"kitchen"}


def test_its_facts_cross_a_process_boundary(daemon: Daemon) -> None:
    codec = EventCodec(daemon.ledgers.facts)
    for facts in (
        MeterRead(meter="kitchen", value=0.1),
        MeterIgnored(source="north", meter="cellar"),
    ):
        event = LedgerChanged(at=START, facts=facts)
        assert codec.decode(codec.encode(event)) == event


@pytest.mark.requirement("X3")
def test_a_store_from_before_it_gets_its_table_and_keeps_every_row(tmp_path: Path) -> None:
    path = settings(tmp_path).store_path
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        assert migrate(connection) == newest_version()
        connection.execute("INSERT INTO paused_pipelines VALUES ('meters', '2026-11-20')")
    daemon = start(tmp_path)
    try:
        assert daemon.scheduler.is_paused("meters")
        show(daemon, "kitchen 1.5")
        assert rows(daemon)["kitchen"].value == 1.5
    finally:
        daemon.stop(PATIENCE)


@pytest.mark.slow
@pytest.mark.requirement("X3")
def test_kill_9_loses_nothing_that_a_cycle_has_said_is_stored(tmp_path: Path) -> None:
    chance = random.Random(20261201)
    shown = 0
    for _ in range(4):
        acknowledged = killed_after(tmp_path, shown + 1, cycles=chance.randrange(1, 15))
        daemon = start(tmp_path)
        try:
            found = rows(daemon)
            values = [row.value for meter, row in found.items() if meter != "broken"]
            shown = int(max(value for value in values if value is not None))
            assert min(value for value in values if value is not None) >= acknowledged
            assert found["broken"].attempt >= acknowledged
            known = {run for (run,) in daemon.database.read().rows("SELECT run_id FROM runs")}
            assert {row.run_id for row in found.values()} <= known
            assert daemon.database.read().rows("SELECT * FROM runs WHERE status = 'running'") == []
        finally:
            daemon.stop(PATIENCE)


def killed_after(folder: Path, first: int, cycles: int) -> int:
    """Runs cycles in a process that is killed in the midst of one; what the last whole one showed."""
    command = [sys.executable, "-m", "tests.support.meters", str(folder), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        last = [int(process.stdout.readline()) for _ in range(cycles)][-1]
        process.kill()
    return last
