"""A store with its writer and recorder in this process, and short ways to make things happen in it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from daemon import events
from daemon.clock import Clock, FakeClock
from daemon.cycles.cycle import Means
from daemon.cycles.cycles import Cycles
from daemon.gate import Gate
from daemon.live import Live
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.pipelines.contract import Pipeline
from daemon.pipelines.ingest.facts import FileFacts, FilesMarked
from daemon.pipelines.kinds import KINDS
from daemon.pipelines.own.config import OwnConfig
from daemon.recorder import Recorder
from daemon.runners.ending import Ending
from daemon.runners.handle import Run
from daemon.runners.open_run import OpenRun
from daemon.runners.order import RunOrder
from daemon.runners.runner import Runner
from daemon.scheduler import Scheduler
from daemon.standing import Standings
from daemon.store.batch import Batch
from daemon.store.commit import Transaction
from daemon.store.database import Database
from daemon.store.entries import Committed, Entry, RunSummary
from daemon.store.failures import Failures
from daemon.store.ledger import Ledgers
from daemon.store.pending import PendingFailures
from daemon.store.rows import RowBuffer
from daemon.store.runs import Runs
from daemon.store.standing import Standing
from daemon.store.writer import Writer
from daemon.taxonomy import CATEGORIES, Category, FileStatus, RunState, RunStatus, Trigger
from daemon.triage import Triage, describe
from daemon.triage.assessment import Assessment
from daemon.triage.retry import as_stored
from daemon.triage.strategy import default_strategy
from daemon.work.queue import WorkQueue

T = TypeVar("T")

TRIAGE = Triage.load()
LEDGERS = Ledgers.named(KINDS.ledgers)
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
MEMORY = 64 * 1000**2
PATIENCE = 60.0
"""Seconds that a test waits for something before it fails: far more than a busy machine takes."""


def wait_for(look: Callable[[], T]) -> T:
    """The first true answer of `look`; fails when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain; the last answer was {found!r}"
        time.sleep(0.005)
    return found


def in_thread(function: Callable[[], Any]) -> threading.Thread:
    """`function`, begun in a thread of its own."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


def who(run_id: str, at: datetime, source: str = "orders", pipeline: str = "ingest") -> Any:
    return {"at": at, "run_id": run_id, "source": source, "pipeline": pipeline}


def assessed(
    message: str = "it broke",
    *,
    category: Category = Category.UNKNOWN,
    group: str | None = None,
    retryable: bool | None = None,
) -> Assessment:
    """What triage might say of an error."""
    helps = CATEGORIES[category].retryable if retryable is None else retryable
    return Assessment(
        category=category,
        retry=as_stored(category, retryable=helps),
        strategy=default_strategy(category, retryable=helps),
        rule="unmatched",
        user_message=f"{category} happened.",
        suggested_action="Look at the log.",
        message=message,
        full_text=None,
        exception_type=None,
        failure_group=group or f"{category:.<16.16}",
        normalised_message=message,
    )


def failed(
    run_id: str,
    item: str | None,
    at: datetime = START,
    *,
    source: str = "orders",
    pipeline: str = "ingest",
    assessment: Assessment | None = None,
    **more: Any,
) -> Entry:
    """A failure, triaged."""
    event = events.ItemFailed(
        **who(run_id, at, source, pipeline),
        item=item,
        error=describe("it broke"),
        step="processing",
        duration_seconds=more.pop("duration_seconds", 0.5),
        **more,
    )
    return Entry(event, assessment or assessed(), shown_item=item)


def succeeded(run_id: str, item: str, at: datetime = START, **more: Any) -> Entry:
    """An item that worked."""
    source = more.pop("source", "orders")
    return Entry(events.ItemSucceeded(**who(run_id, at, source), item=item, **more))


def started(run_id: str, at: datetime = START, **more: Any) -> Entry:
    """A run that begins."""
    where = {key: more.pop(key) for key in ("source", "pipeline") if key in more}
    trigger = more.pop("trigger", Trigger.SCHEDULE)
    return Entry(
        events.RunStarted(**who(run_id, at, **where), cycle_id="cycle", trigger=trigger, **more)
    )


def ended(
    run_id: str, status: RunStatus = RunStatus.SUCCESS, at: datetime = START, **more: Any
) -> Entry:
    """A run that ends."""
    where = {key: more.pop(key) for key in ("source", "pipeline") if key in more}
    category = more.pop("category", None)
    event = events.RunEnded(
        **who(run_id, at, **where),
        status=status,
        state=RunState.COMPLETED,
        step="processing",
        duration_seconds=more.pop("duration_seconds", 1.0),
        counts=events.Counts(),
        progress_current=None,
        progress_total=None,
    )
    return Entry(event, summary=RunSummary(0, category, None, None, None, ()))


def facts(path: str, **more: Any) -> FileFacts:
    """A version of a file."""
    return FileFacts(path=path, size=10, mtime_ns=1, content_hash="00" * 16, **more)


def decided(facts: events.Facts, at: datetime = START) -> Entry:
    """A person's decision about what a ledger holds."""
    return Entry(events.LedgerChanged(at=at, facts=facts))


def marked(status: FileStatus, *paths: str, at: datetime = START, source: str = "orders") -> Entry:
    """A person's decision about files."""
    return decided(FilesMarked(pipeline="ingest", source=source, paths=paths, status=status), at)


class Store:
    """An open store whose writer announces to `committed`, and through a recorder to `live`."""

    def __init__(
        self, folder: Path, clock: Clock | None = None, ledgers: Ledgers = LEDGERS
    ) -> None:
        self.clock = clock or FakeClock(START)
        self.database = Database(
            folder / "store.duckdb", memory_limit=MEMORY, migrations=ledgers.migrations
        )
        self.live = Live()
        self.recorder = Recorder(TRIAGE, self.live)
        self.committed: list[Committed] = []
        self.recorder.subscribe(self.committed.append)
        self.writer = Writer(
            self.database, ledgers, self.clock, self.recorder.announce, self.recorder.prepare
        )
        self.recorder.connect(self.writer)
        self.failures = Failures(self.database.read())
        self.runs = Runs(self.database)
        self.standings = Standings(
            self.writer.standing,
            PendingFailures(self.database),
            self.clock,
            self.runs.streaks(),
        )
        self.recorder.subscribe(self.standings.follow)
        self.open_runs: dict[str, OpenRun] = {}

    def put(self, *entries: Entry) -> None:
        """Stores entries and waits till they are on disk; one batch if the writer is not started."""
        for entry in entries:
            self.writer.put(entry)
        self.writer.start()
        assert self.writer.flush(PATIENCE)

    def run(self, source: str = "orders", pipeline: str = "ingest", **options: Any) -> Run:
        """A run's handle; the run is on disk."""
        order = RunOrder(
            run_id=f"{self.clock.now():%Y%m%dT%H%M%S}000-{secrets.token_hex(4)}",
            pipeline=pipeline,
            source=source,
            cycle_id="cycle",
            trigger=Trigger.MANUAL,
            options=options,
        )
        self.writer.start()
        run = OpenRun(order, self.recorder, self.clock, self.standings.left_open)
        self.open_runs[order.run_id] = run
        run.begin()
        return Run(order, run, self.clock, run.asked_to_stop)

    def end(self, run: Run, status: RunStatus | None = None) -> None:
        """Ends a run and waits till that is on disk."""
        open_run = self.open_runs.pop(run.run_id)
        came_to = open_run.outcome(Ending.RETURNED, stopping=False)
        assert open_run.close(status or came_to) is (status or came_to)

    def events(self) -> list[events.AnyEvent]:
        """What was announced, in order."""
        return [entry.event for batch in list(self.committed) for entry in batch.entries]

    def close(self) -> None:
        self.writer.stop(PATIENCE)
        self.database.close()


@contextmanager
def store(folder: Path, clock: Clock | None = None) -> Iterator[Store]:
    """A store in `folder`, closed afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = Store(folder, clock)
    try:
        yield opened
    finally:
        opened.close()


def insert(database: Database, entries: Iterable[Entry], first_id: int = 1) -> None:
    """Writes entries in one transaction, without a writer; times may be in the past."""
    buffer = RowBuffer()
    try:
        standing = Standing.read(database)
        batch = Batch.of(list(entries), first_id, LEDGERS.begin())
        with database.writing() as connection:
            Transaction(connection, buffer, batch, standing.has_unresolved, number=1).commit()
    finally:
        buffer.close()


KEY = "pipeline, source, category, retryable, status"


def counted_failures(database: Database) -> dict[tuple[Any, ...], int]:
    """Failures by day, kind, status and group, counted one by one."""
    rows = database.read().rows(
        f"SELECT error_time::DATE, {KEY}, failure_group, count(*) FROM failures GROUP BY ALL"
    )
    return {row[:-1]: row[-1] for row in rows}


def tallied_failures(database: Database) -> dict[tuple[Any, ...], int]:
    """The same from the tally."""
    rows = database.read().rows(
        f"SELECT day, {KEY}, failure_group, sum(n)::BIGINT FROM failure_tally "
        "GROUP BY ALL HAVING sum(n) <> 0"
    )
    return {row[:-1]: row[-1] for row in rows}


def standing_counts(standing: Standing) -> dict[tuple[Any, ...], int]:
    """What is counted in memory, without zeros."""
    return {tuple(key): n for key, n in standing._counts.items() if n}


def assert_counts_agree(database: Database, standing: Standing | None = None) -> None:
    """The tally equals the failures, and the counts in memory equal the tally."""
    counted = counted_failures(database)
    assert tallied_failures(database) == counted
    if standing is not None:
        kinds: Counter[tuple[Any, ...]] = Counter()
        for (_, *kind, _), n in counted.items():
            kinds[tuple(kind)] += n
        assert standing_counts(standing) == dict(kinds)


class Machinery:
    """What runs cycles, over a store: catalog, runner, cycles and scheduler."""

    def __init__(self, target: Store, *pipelines: Registered, paused: Iterable[str] = ()) -> None:
        self.store = target
        self.catalog = Catalog({pipeline.name: pipeline for pipeline in pipelines})
        self.runner = Runner(target.recorder, target.clock, left_open=target.standings.left_open)
        self.queue = WorkQueue(self.catalog, target.recorder, target.clock)
        self.cycles = Cycles(
            Means(target.recorder, self.runner, target.clock, self.catalog, self.queue)
        )
        self.gate = Gate(target.clock, breaker_after=5, breaker_pause=900)
        self.scheduler = Scheduler(
            self.catalog,
            self.cycles,
            self.runner,
            self.queue,
            target.recorder,
            target.clock,
            self.gate,
            paused,
        )
        target.writer.start()

    def stop(self) -> None:
        self.scheduler.stop()
        self.queue.stop()
        self.runner.cancel()
        assert self.queue.wait(PATIENCE)


def pipeline(
    function: Pipeline, *sources: str, name: str = "nightly", disabled: str = "", **config: Any
) -> Registered:
    """A pipeline of one's own, with the given sources."""
    return Registered(
        name,
        function,
        OwnConfig(run="jobs:run", **config),
        {source: Source(source, source != disabled, {}) for source in sources or (name,)},
    )
