"""What the mail pipeline asks of the rest of triaged, and its parts of one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from daemon.clock import Clock
from daemon.pipelines.catalog import Source
from daemon.pipelines.mail.account import MailAccount, MailAccounts
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.message import Fetched
from daemon.taxonomy import RunState


class Watch(Protocol):
    """Who looks on while a mailbox is opened and used; a run's handle is one."""

    @property
    def cancelled(self) -> bool:
        """True once everything should end: the mailbox then raises `RunCancelled`."""
        ...

    def step(self, state: RunState | str, text: str = "") -> None:
        """What is being done now."""
        ...


class Mailbox(Protocol):
    """A folder of an account, selected over one connection that is logged in.

    Every method may raise what the connection fails with: `OSError`, `imapclient.exceptions`, or an
    error of `daemon.pipelines.mail.errors`. Then the mailbox is of no use any more until `reconnect`,
    unless it was a `ServerRefused` or `AnswerGarbled`.
    """

    @property
    def uidvalidity(self) -> int: ...

    def search(self, since: datetime) -> list[int]:
        """UIDs of the messages received at `since` or later, lowest first. May hold a few older ones."""
        ...

    def fetch(self, uids: Sequence[int]) -> Fetched:
        """The messages of one chunk, left unread.

        A message that the server lists but does not describe as it should is one of `unreadable` and keeps none
        of the others back; one that is not in the folder any more is `gone`.
        """
        ...

    def label(self, uids: Sequence[int], label: str) -> Mapping[int, Exception | None]:
        """Adds a label, or keyword; for each UID None once the server confirmed it, or what is wrong.

        A message that is gone meanwhile is missing. Raises `LabelRefused` when the server may refuse it for one
        of several.
        """
        ...

    def reconnect(self, reason: Exception) -> None:
        """Opens the folder anew after `reason` broke the connection, which is raised if that cannot be."""
        ...


OpenMailbox = Callable[[MailAccount, Watch, Clock], AbstractContextManager[Mailbox]]
"""Connects, logs in and selects the account's folder; raises as `Mailbox` does."""


class KeptAccounts(MailAccounts, Protocol):
    """All accounts, and which of them are not of the configuration."""

    def settings(self, name: str) -> MailSource:
        """An account's settings, without its secret. Raises `NotFound`."""
        ...

    def to_run(self) -> list[Source]:
        """Those that were made by API, as sources."""
        ...


class MessageIndex(Protocol):
    """The record of messages done so far."""

    def reach(self, source: str, folder: str) -> datetime | None:
        """How far an account's folder was looked through, as `MailboxReach` says; None when that is not known."""
        ...

    def known(
        self,
        source: str,
        since: datetime,
        wanted: frozenset[str] | None,
        reach: datetime | None = None,
    ) -> bytes:
        """What an account's next run has to know, as `daemon.pipelines.mail.known` packs it.

        The messages received at `since` or later that are done, and those that are wanted; and all that failed
        and are not to be tried again by themselves. `reach` goes along.
        """
        ...
