"""The mail pipeline over a store and a mail server in memory, and short ways to run it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon import events
from daemon.clock import FakeClock
from daemon.config import Secrets, Settings
from daemon.config.schema import Config
from daemon.pipelines.catalog import LookUp, Registered, Source
from daemon.pipelines.mail.categoriser import Categoriser
from daemon.pipelines.mail.config import MailConfig, MailSource
from daemon.pipelines.mail.configured import ConfiguredAccounts
from daemon.pipelines.mail.look_up import MessageLookUp
from daemon.pipelines.mail.pipeline import MailPipeline
from daemon.store.columns.failures import FailureRecord
from daemon.store.filters import FailureFilter
from daemon.store.ledgers.messages.reading import Messages
from daemon.taxonomy import Trigger
from tests.support.memory_mailbox import Folder, MemoryServer
from tests.unit.spine_support import PATIENCE, Machinery, Store

PLAIN = "From: Ann <ann@example.com>\nSubject: Hello\n\n"
NEWSLETTER = "From: news@example.org\nList-Id: <news.example.org>\nSubject: News\n\n"
ROBOT = "From: robot@example.net\nAuto-Submitted: auto-generated\n\n"


def account(**more: Any) -> MailSource:
    given = {"password_env": "SUPPORT"} | more
    return MailSource(host="imap.example.com", username="ann@example.com", **given)


class InConfiguration(ConfiguredAccounts):
    """All accounts that there are."""

    def to_run(self) -> list[Source]:
        return []


class Mail:
    """A pipeline of accounts, whose folders have the accounts' names."""

    def __init__(
        self, target: Store, folder: Path, sources: dict[str, MailSource] | None = None, **more: Any
    ) -> None:
        self.store = target
        self.clock = target.clock
        assert isinstance(self.clock, FakeClock)
        self.config = MailConfig(sources=sources or {"support": account()}, every=None, **more)
        settings = Settings(
            Config(pipelines={"mail": self.config}),
            folder / "triaged.toml",
            secrets=Secrets({"SUPPORT": "open sesame"}),
        )
        self.folders = {name: Folder() for name in self.config.sources}
        self.server = MemoryServer(**self.folders)
        accounts = InConfiguration(self.config, settings)
        self.pipeline = MailPipeline(
            self.config,
            accounts,
            Categoriser.of(self.config, settings),
            self.server.open_mailbox,
            target.clock,
        )
        self.look_up: LookUp = MessageLookUp(
            accounts,
            Messages(target.database, target.clock),
            target.clock,
        )
        registered = Registered(
            "mail",
            self.pipeline,
            self.config,
            accounts.sources(),
            look_up=self._look_up,
        )
        self.machinery = Machinery(target, registered)

    def _look_up(self, source: str, wanted: frozenset[str] | None) -> bytes:
        return self.look_up(source, wanted)

    @property
    def inbox(self) -> Folder:
        return self.folders["support"]

    def deliver(self, *headers: str) -> list[int]:
        """Messages that arrived an hour ago, in the account named support."""
        received = self.clock.now() - timedelta(hours=1)
        return [self.inbox.deliver(each, received) for each in headers]

    def run(self, source: str | None = None) -> None:
        """One cycle, of all accounts or one; everything is stored afterwards."""
        self.machinery.scheduler.run_now("mail", source, Trigger.MANUAL)
        assert self.machinery.queue.wait(PATIENCE)
        assert self.store.writer.flush(PATIENCE)

    def retry(self, *items: str) -> None:
        """A run of the account named support, for these items only."""
        mail = self.machinery.catalog.pipeline("mail")
        wanted = frozenset(items)
        self.machinery.cycles.carry_out(mail, mail.sources["support"], Trigger.RETRY, wanted)
        assert self.store.writer.flush(PATIENCE)

    def runs(self, source: str = "support") -> list[tuple[str, int, int, int]]:
        """Status, succeeded, failed and skipped of the account's runs, oldest first."""
        return self.store.database.read().rows(
            "SELECT status, succeeded, failed, skipped FROM runs WHERE source = ? ORDER BY rowid",
            [source],
        )

    def failures(self) -> list[FailureRecord]:
        """All failures, newest first."""
        return self.store.failures.page(FailureFilter(), 100).failures

    def done(self) -> list[tuple[int, str, str, str | None]]:
        """UID, category, rule and label of what is done, by UID."""
        return self.store.database.read().rows(
            "SELECT uid, category, rule, label FROM messages ORDER BY uid, done_at"
        )

    def steps(self) -> list[tuple[str, str]]:
        """State and text of every step that was announced."""
        return [
            (str(e.state), e.text) for e in self.store.events() if isinstance(e, events.StepEntered)
        ]
