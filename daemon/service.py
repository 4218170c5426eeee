"""The daemon put together: the one place where every part meets the others."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import partial

from daemon import journal
from daemon.accounts.mailboxes import follow_mailboxes
from daemon.accounts.opening import open_accounts
from daemon.accounts.verification import Verifier
from daemon.audit.key_changes import KeyChanges
from daemon.clock import Clock, SystemClock
from daemon.clock_watch import ClockWatch
from daemon.composition.at_start import AtStart
from daemon.composition.checks import require_correct
from daemon.composition.measuring import make_metrics
from daemon.composition.offered import Offered
from daemon.composition.opening import closed_on_failure, open_database, open_keyring
from daemon.composition.under_way import UnderWay
from daemon.composition.upkeep import Upkeep
from daemon.config import Settings
from daemon.cycles.cycle import Means
from daemon.cycles.cycles import Cycles
from daemon.errors import Conflict
from daemon.gate import Gate
from daemon.health import Health, health_of
from daemon.idle_runs import IdleRuns
from daemon.live import Live
from daemon.metrics import Clocks
from daemon.operations.accounts import AccountOperations
from daemon.operations.files import FileOperations
from daemon.operations.groups import GroupOperations
from daemon.operations.pipelines import PipelineOperations
from daemon.operations.retries.chunk import Chunks
from daemon.operations.retries.requests import RetryRequests
from daemon.operations.retries.worker import RetryWorker
from daemon.parts import Part, start_in_order, stop_in_order
from daemon.pipelines.ingest.places import folders, quarantine_folder, rejects_folder
from daemon.pipelines.ingest.quarantine import Quarantine
from daemon.pipelines.kind import Kinds, Surroundings
from daemon.pipelines.kinds import KINDS
from daemon.recorder import Recorder
from daemon.retry.automatic import AutomaticRetries, budget_window
from daemon.runners.processes import Processes
from daemon.runners.runner import Runner
from daemon.scheduler import Scheduler
from daemon.standing import Standings
from daemon.store import work
from daemon.store.audit import Audit
from daemon.store.backup import Backups
from daemon.store.failures import Failures
from daemon.store.ledger import Ledgers
from daemon.store.ledgers.files.reading import Files
from daemon.store.pending import PendingFailures
from daemon.store.retries import Retries
from daemon.store.runs import Runs
from daemon.store.writer import Writer
from daemon.topics import Topics
from daemon.triage import Triage
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged")


class Daemon:
    """Everything but the API.

    `start` and `stop` may each be called more than once, and `start` again after one that failed. Who has
    stopped it makes a new one: it has let go of its store, which another process may have changed since.
    """

    def __init__(
        self, settings: Settings, clock: Clock | None = None, kinds: Kinds = KINDS
    ) -> None:
        """Opens the store and puts the parts together. Raises `ConfigError`, `StoreError`."""
        require_correct(settings, kinds)
        self.settings = settings
        self.clock = clock or SystemClock()
        self.kept = timedelta(seconds=settings.config.store.retention)
        self.triage = Triage.load(settings.rules_path)
        self.keyring = open_keyring(settings, self.clock)
        self.ledgers = Ledgers.named(kinds.ledgers)
        self.database = open_database(settings, self.ledgers)
        with closed_on_failure(self.database, self.clock):
            self._read()
            self._know_sources(kinds)
            self._record()
            self._run()
            self._retry()
            self._let_people_act()
            self._tell()
        self.parts = self._in_order()
        self.offered = self._offer()
        self._stopped = False

    def _read(self) -> None:
        """What is stored."""
        self.failures = Failures(self.database.read())
        self.runs = Runs(self.database)
        self.files = Files(self.database, self.clock)
        self.retries = Retries(self.database)

    def _know_sources(self, kinds: Kinds) -> None:
        """What can be run."""
        self.accounts = open_accounts(self.settings, self.database)
        follow_mailboxes(self.accounts, self.database)
        ports = self.ledgers.readers(self.database, self.clock) | {"accounts": self.accounts}
        self.catalog = kinds.build(Surroundings(self.settings, self.clock, ports))
        self.rejects = rejects_folder(self.settings)

    def _record(self) -> None:
        """The one way from what happens to what is stored and shown."""
        self.live, self.topics = Live(), Topics(self.clock)
        self.recorder = Recorder(self.triage, self.live)
        self.writer = Writer(
            self.database, self.ledgers, self.clock, self.recorder.announce, self.recorder.prepare
        )
        self.recorder.connect(self.writer)
        self.standings = Standings(
            self.writer.standing, PendingFailures(self.database), self.clock, self.runs.streaks()
        )
        self.idle_runs = IdleRuns(self.runs.idle_streaks())

    def _run(self) -> None:
        """What runs sources, by time and on demand."""
        retry = self.settings.config.retry
        logs = self.settings.config.log
        self.processes = Processes(self.ledgers.facts, self.clock, logs.level, logs.format)
        self.runner = Runner(
            self.recorder, self.clock, {"process": self.processes}, self.standings.left_open
        )
        self.queue = WorkQueue(self.catalog, self.recorder, self.clock)
        self.cycles = Cycles(
            Means(self.recorder, self.runner, self.clock, self.catalog, self.queue)
        )
        self.gate = Gate(self.clock, retry.breaker_after, retry.breaker_pause)
        self.scheduler = Scheduler(
            self.catalog,
            self.cycles,
            self.runner,
            self.queue,
            self.recorder,
            self.clock,
            self.gate,
            self.runs.paused(),
        )

    def _retry(self) -> None:
        """What runs again what has failed, by itself and by hand."""
        self.automatic_retries = AutomaticRetries(
            self.settings.config.retry, self.catalog, self.gate, self.scheduler, self.clock
        )
        self.clock_watch = ClockWatch(
            self.clock, self.runs.newest(), (self.gate.clock_moved, self.scheduler.clock_moved)
        )
        self.automatic_retries.remember(
            self.runs.failed_sources(), self.runs.retried(budget_window(self.clock.now()))
        )
        chunks = Chunks(self.catalog, self.cycles, self.recorder, self.retries, self.clock)
        self.retry_worker = RetryWorker(
            self.catalog,
            self.scheduler,
            self.runner,
            self.queue,
            self.recorder,
            self.retries,
            chunks,
            self.clock,
        )

    def _let_people_act(self) -> None:
        """What people can do. Each decision is an event, as all that happens."""
        self.verifier = Verifier(self.accounts, self.triage, self.clock)
        self.account_operations = AccountOperations(
            self.accounts,
            self.catalog,
            self.recorder,
            self.automatic_retries,
            self.verifier,
            self.clock,
        )
        self.pipeline_operations = PipelineOperations(
            self.catalog, self.scheduler, self.recorder, self.clock
        )
        self.file_operations = FileOperations(
            self.catalog,
            self.scheduler,
            self.recorder,
            self.files,
            folders(self.settings),
            Quarantine(quarantine_folder(self.settings)),
            self.clock,
        )
        self.backups = Backups(self.writer, self.settings.store_path)
        self.group_operations = GroupOperations(
            self.database, self.recorder, self.triage.mask, self.clock
        )
        self.retry_requests = RetryRequests(
            self.retries, self.failures, self.recorder, self.clock, self.retry_worker.wake
        )

    def _tell(self) -> None:
        """Who is told what is on disk, in this order; the live status is the recorder's own."""
        self.metrics = make_metrics(
            self.catalog,
            self.live,
            self.runs,
            self.standings,
            self.cycles,
            self.queue,
            self.scheduler,
            self.writer,
            self.database,
            (partial(self.retries.pending, self.ledgers.waiting), self.automatic_retries.pending),
            lambda: Clocks(
                self.clock_watch.behind, self.clock_watch.steps, self.upkeep.problem is not None
            ),
            self.settings.config.metrics.max_sources,
        )
        for subscriber in (
            self.standings.follow,
            self.idle_runs.follow,
            self.metrics.count,
            self.queue.follow,
            self.automatic_retries.follow,
            journal.write,
            self.account_operations.follow,
        ):
            self.recorder.subscribe(subscriber)

    def _in_order(self) -> list[Part]:
        """What goes on, in the order of the start; it ends the other way round.

        What records comes before what there is to record, and work under way before what begins work by itself:
        at the end nothing new begins, then what is under way gets its time, then everything is stored.
        """
        audit, ledgers, kept = Audit(self.database.read()), self.ledgers, self.kept
        self.upkeep = Upkeep(
            self.scheduler, self.writer, ledgers, self.keyring, self.clock, kept, self.runs
        )
        self.by_itself: list[Part] = [
            AtStart(
                "work that was asked for", lambda: self.cycles.take_up(work.read(self.database))
            ),
            self.scheduler,
            self.automatic_retries,
            self.retry_worker,
            self.upkeep,
            self.clock_watch,
        ]
        self.under_way = UnderWay(
            self.queue, self.runner, self.retry_worker.settle, self.settings.config.server.grace
        )
        return [
            self.writer,
            KeyChanges(self.keyring, self.recorder, audit, self.clock, kept),
            AtStart("secrets of accounts", self.account_operations.report_missing),
            self.processes,
            self.under_way,
            *self.by_itself,
        ]

    def _offer(self) -> Offered:
        """What an API may use."""
        return Offered(
            settings=self.settings,
            clock=self.clock,
            triage=self.triage,
            keyring=self.keyring,
            metrics=self.metrics,
            recorder=self.recorder,
            backups=self.backups,
            health=self.health,
            catalog=self.catalog,
            accounts=self.accounts,
            scheduler=self.scheduler,
            queue=self.queue,
            gate=self.gate,
            live=self.live,
            standings=self.standings,
            idle_runs=self.idle_runs,
            topics=self.topics,
            database=self.database,
            failures=self.failures,
            runs=self.runs,
            files=self.files,
            retries=self.retries,
            rejects=self.rejects,
            pipeline_operations=self.pipeline_operations,
            file_operations=self.file_operations,
            group_operations=self.group_operations,
            account_operations=self.account_operations,
            retry_requests=self.retry_requests,
            retry_worker=self.retry_worker,
        )

    def start(self, *, schedule: bool = True) -> None:
        """Begins to record, and with `schedule` to run cycles. Raises `Conflict` after a stop."""
        if self._stopped:
            raise Conflict("the daemon was stopped, and has let go of its store: make a new one")
        start_in_order(p for p in self.parts if schedule or p not in self.by_itself)

    def wind_down(self) -> None:
        """Lets nobody wait any more for what may take long: before the server that waits for its requests ends."""
        self.verifier.stop()

    def stop(self, grace: float | None = None) -> int:
        """Ends in order: no new runs, running ones get `grace` seconds, everything is stored.

        Returns how many events could not be stored; 0 when it was stopped already.
        """
        if self._stopped:
            return 0
        self._stopped = True
        log.info("stopping", extra={"event": "stopping", "runs": self.runner.active})
        if grace is not None:
            self.under_way.patience = grace
        stop_in_order(self.parts)
        self.database.close()
        interrupted, lost = self.under_way.interrupted, self.writer.pending
        log.info(
            "stopped", extra={"event": "stopped", "interrupted": interrupted, "not_stored": lost}
        )
        return lost

    def health(self) -> Health:
        """How the daemon is."""
        return health_of(
            self.writer,
            self.keyring,
            self.clock,
            self.clock_watch.problem or self.upkeep.problem,
            stopping=self._stopped,
        )
