"""What the daemon offers to those who ask from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from daemon.access.keyring import Keyring
from daemon.accounts.accounts import Accounts
from daemon.clock import Clock
from daemon.config import Settings
from daemon.gate import Gate
from daemon.health import Health
from daemon.idle_runs import IdleRuns
from daemon.live import Live
from daemon.metrics import Metrics
from daemon.operations.accounts import AccountOperations
from daemon.operations.files import FileOperations
from daemon.operations.groups import GroupOperations
from daemon.operations.pipelines import PipelineOperations
from daemon.operations.retries.requests import RetryRequests
from daemon.operations.retries.worker import RetryWorker
from daemon.pipelines.catalog import Catalog
from daemon.recorder import Recorder
from daemon.scheduler import Scheduler
from daemon.standing import Standings
from daemon.store.backup import Backups
from daemon.store.database import Database
from daemon.store.failures import Failures
from daemon.store.ledgers.files.reading import Files
from daemon.store.retries import Retries
from daemon.store.runs import Runs
from daemon.topics import Topics
from daemon.triage import Triage
from daemon.work.queue import WorkQueue


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """Readers, operations, and what goes on. Whoever answers a question takes by name what it needs of them."""

    settings: Settings
    clock: Clock
    triage: Triage
    keyring: Keyring
    metrics: Metrics
    recorder: Recorder
    health: Callable[[], Health]

    # What is configured, and what goes on.
    catalog: Catalog
    accounts: Accounts
    scheduler: Scheduler
    queue: WorkQueue
    gate: Gate
    live: Live
    standings: Standings
    idle_runs: IdleRuns
    topics: Topics

    # What is stored.
    database: Database
    failures: Failures
    runs: Runs
    files: Files
    retries: Retries
    rejects: Path
    """The folder of the rows that ingestion rejected."""

    # What people can do.
    pipeline_operations: PipelineOperations
    file_operations: FileOperations
    group_operations: GroupOperations
    account_operations: AccountOperations
    retry_requests: RetryRequests
    retry_worker: RetryWorker
    backups: Backups
