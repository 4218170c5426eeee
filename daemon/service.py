"""The daemon put together: the one place where every part meets the others."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from typing import Any, Literal

from daemon import __version__, journal
from daemon.access.keyring import Key, Keyring
from daemon.access.keys import digest
from daemon.access.keys_file import KeysFile
from daemon.accounts.mailboxes import follow_mailboxes
from daemon.accounts.opening import open_accounts
from daemon.accounts.verification import Verifier
from daemon.audit.key_changes import KeyChanges
from daemon.clock import Clock, SystemClock
from daemon.config import Settings
from daemon.cycle import Cycles
from daemon.errors import ConfigError, Problem
from daemon.gate import Gate
from daemon.health import Check, Health
from daemon.live import Live
from daemon.metrics import Measured, Metrics
from daemon.operations.accounts import AccountOperations
from daemon.operations.files import FileOperations
from daemon.operations.groups import GroupOperations
from daemon.operations.pipelines import PipelineOperations
from daemon.operations.retries.chunk import Chunks
from daemon.operations.retries.requests import RetryRequests
from daemon.operations.retries.worker import RetryWorker
from daemon.pipelines.ingest.places import folders, quarantine_folder, rejects_folder
from daemon.pipelines.ingest.quarantine import Quarantine
from daemon.pipelines.kind import Kinds, Surroundings
from daemon.pipelines.kinds import KINDS
from daemon.recorder import Recorder
from daemon.retry.automatic import AutomaticRetries, budget_window
from daemon.runners.runner import Runner
from daemon.scheduler import Scheduler, check_schedule
from daemon.store import upkeep
from daemon.store.audit import Audit
from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.ledger import Ledgers
from daemon.store.ledgers.files.reading import Files
from daemon.store.retries import Retries
from daemon.store.runs import Runs
from daemon.store.writer import Writer
from daemon.topics import Topics
from daemon.triage import Triage
from daemon.triage.rules.files import load_rules
from daemon.work.queue import WorkQueue

log = logging.getLogger("triaged")

UPKEEP_SECONDS = 3600.0
KEYS_SECONDS = 5.0
"""How often the keys file is looked at while nobody asks for anything."""
RETRIES_GRACE_SECONDS = 2.0
"""How long `stop` lets the results of a retry that has just ended be stored."""
STORE_GRACE_SECONDS = 10.0
"""How long `stop` tries to write what is queued when the store cannot be written."""


class Daemon:
    """Everything but the API. `start` and `stop` may each be called more than once."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, kinds: Kinds = KINDS
    ) -> None:
        """Opens the store and puts the parts together. Raises `ConfigError`, `StoreError`."""
        if problems := check(settings, kinds):
            raise ConfigError(problems)
        self.settings = settings
        self.clock = clock or SystemClock()
        self.triage = load_triage(settings)
        self.live, self.topics = Live(), Topics(self.clock)
        configured = [Key(key.name, key.role, digest(key.value)) for key in settings.keys]
        self.keyring = Keyring(configured, KeysFile(settings.keys_path), self.clock)
        self.rejects = rejects_folder(settings)
        config = settings.config
        self.ledgers = Ledgers.named(kinds.ledgers)
        self.database = Database(
            settings.store_path,
            memory_limit=config.store.memory_limit,
            migrations=self.ledgers.migrations,
        )
        self.failures = Failures(self.database.read())
        self.runs = Runs(self.database)
        self.files = Files(self.database, self.clock)
        try:
            with self.database.writing() as connection:
                upkeep.interrupt_unfinished(connection, self.clock.now())
            self.accounts = open_accounts(settings, self.database)
            follow_mailboxes(self.accounts, self.database)
            self.catalog = kinds.build(Surroundings(settings, self.clock, self._ports()))
        except BaseException:
            self.database.close()
            raise
        self.recorder = Recorder(self.triage, self.live)
        self.writer = Writer(
            self.database, self.ledgers, self.clock, self.recorder.announce, self.recorder.prepare
        )
        self.recorder.connect(self.writer)
        self.runner = Runner(self.recorder, self.clock)
        self.queue = WorkQueue(self.catalog)
        self.cycles = Cycles(self.recorder, self.runner, self.clock, self.catalog, self.queue)
        retry = config.retry
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
        self.automatic_retries = AutomaticRetries(
            retry, self.catalog, self.gate, self.scheduler, self.clock
        )
        self.automatic_retries.remember(
            self.runs.failed_sources(), self.runs.retried(budget_window(self.clock.now()))
        )
        self.account_operations = AccountOperations(
            self.accounts,
            self.catalog,
            self.recorder,
            self.automatic_retries,
            Verifier(self.accounts, self.triage, self.clock),
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
            folders(settings),
            Quarantine(quarantine_folder(settings)),
            self.clock,
        )
        self.group_operations = GroupOperations(
            self.database, self.recorder, self.triage.mask, self.clock
        )
        self.retries = Retries(self.database)
        self.retry_worker = self._make_retry_worker()
        self.retry_requests = RetryRequests(
            self.retries, self.failures, self.recorder, self.clock, self.retry_worker.wake
        )
        self.key_changes = KeyChanges(
            self.recorder,
            Audit(self.database.read()),
            self.clock,
            timedelta(seconds=config.store.retention),
        )
        self.metrics = self._make_metrics()
        self.recorder.subscribe(self.metrics.count)
        self.recorder.subscribe(self.automatic_retries.follow)
        self.recorder.subscribe(journal.write)
        self.recorder.subscribe(self.account_operations.follow)
        self._stopping = False

    def _ports(self) -> dict[str, Any]:
        """What pipelines ask of the rest."""
        return {**self.ledgers.readers(self.database, self.clock), "accounts": self.accounts}

    def _make_retry_worker(self) -> RetryWorker:
        chunks = Chunks(
            self.catalog,
            self.cycles,
            self.recorder,
            self.retries,
            self.clock,
        )
        return RetryWorker(
            self.catalog,
            self.scheduler,
            self.runner,
            self.queue,
            self.recorder,
            self.retries,
            chunks,
            self.clock,
        )

    def _make_metrics(self) -> Metrics:
        metrics = Metrics(
            __version__, self.catalog, self.live, self.settings.config.metrics.max_sources
        )
        metrics.seed(self.runs.standings(), self.runs.last_cycles())
        metrics.measure(
            Measured(
                open_failures=self.writer.standing.open,
                cycle_sources=lambda: {p: dict(s.counts) for p, s in self.cycles.sources.items()},
                retries_pending=self._retries_pending,
                queue_events=lambda: self.writer.pending,
                store_errors=lambda: self.writer.errors,
                store_bytes=self.database.size,
                store_free_bytes=self.database.free,
                is_paused=self.scheduler.is_paused,
                next_cycles=self.scheduler.next_cycles,
            )
        )
        return metrics

    def _retries_pending(self) -> dict[str, int]:
        """Files, sources and items of retry operations that wait for another attempt, by pipeline."""
        waiting = (self.files.retries_pending, self.automatic_retries.pending, self.retries.pending)
        return dict(sum((Counter(count()) for count in waiting), Counter[str]()))

    def start(self, *, schedule: bool = True) -> None:
        """Begins to record, and with `schedule` to run cycles."""
        self.writer.start()
        self.keyring.follow(self.key_changes.follow)
        self.account_operations.report_missing()
        if schedule:
            self.scheduler.start()
            self.automatic_retries.start()
            self.retry_worker.start()
            self.scheduler.every(UPKEEP_SECONDS, self.keep_up)
            self.scheduler.every(KEYS_SECONDS, self.keyring.refresh)

    def keep_up(self) -> None:
        """Forgets what is older than the retention and compacts the store, between two batches."""
        retention = timedelta(seconds=self.settings.config.store.retention)
        self.writer.do(lambda c: upkeep.expire(c, self.ledgers, self.clock.now(), retention))

    def stop(self, grace: float | None = None) -> int:
        """Ends in order: no new runs, running ones get `grace` seconds, everything is stored.

        Returns how many events could not be stored. Idempotent.
        """
        if self._stopping:
            return 0
        self._stopping = True
        log.info("stopping", extra={"event": "stopping", "runs": self.runner.active})
        self.retry_worker.stop()
        self.scheduler.stop()
        self.runner.cancel()
        seconds = self.settings.config.server.grace if grace is None else grace
        self.queue.wait(seconds)
        interrupted = self.runner.interrupt()
        self.retry_worker.wait(RETRIES_GRACE_SECONDS)
        lost = self.writer.close(STORE_GRACE_SECONDS)
        self.database.close()
        log.info(
            "stopped", extra={"event": "stopped", "interrupted": interrupted, "not_stored": lost}
        )
        return lost

    def health(self) -> Health:
        """How the daemon is."""
        trouble = self.writer.trouble
        message = "the store can be written"
        if trouble is not None:
            seconds = round(self.clock.monotonic() - trouble.since)
            message = f"the store cannot be written since {seconds} s: {trouble.message}"
        checks = [
            Check("store", trouble is None, message),
            Check(
                "scheduler",
                not self._stopping,
                "the daemon is stopping" if self._stopping else "cycles are scheduled",
            ),
            Check(
                "keys",
                self.keyring.problem is None,
                self.keyring.problem or "the keys can be read",
            ),
        ]
        well = all(check.ok for check in checks)
        status: Literal["ok", "degraded", "stopping"]
        status = "stopping" if self._stopping else "ok" if well else "degraded"
        return Health(status, __version__, checks, self.writer.pending)


def load_triage(settings: Settings) -> Triage:
    """The bundled rules with the user's. Raises `ConfigError`."""
    return Triage.load(settings.rules_path)


def check(settings: Settings, kinds: Kinds = KINDS) -> list[Problem]:
    """Every mistake that keeps the daemon from starting; opens and changes nothing."""
    problems = [
        Problem(f"{settings.file.name}: {problem.where}", problem.expected)
        for name, config in settings.config.pipelines.items()
        for problem in [*check_schedule(name, config), *kinds.check(name, settings)]
    ]
    try:
        load_rules(settings.rules_path, examples=False)
    except ConfigError as error:
        problems += error.problems
    return problems
