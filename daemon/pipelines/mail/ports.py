"""What the mail pipeline asks of the rest of triaged, and its parts of one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from daemon.pipelines.mail.message import Identity, Message


class Mailbox(Protocol):
    """A folder of an account, selected over one connection that is logged in.

    Every method may raise what the connection fails with: `OSError`, `imapclient.exceptions`, or an
    error of `daemon.pipelines.mail.errors`. Then the mailbox is of no use any more.
    """

    @property
    def uidvalidity(self) -> int: ...

    def search(self, since: datetime) -> list[int]:
        """UIDs of the messages received at `since` or later, lowest first. May hold a few older ones."""
        ...

    def fetch(self, uids: Sequence[int]) -> list[Message]:
        """The messages of one chunk; those that are gone meanwhile are missing. Leaves them unread."""
        ...

    def label(self, uids: Sequence[int], label: str) -> Mapping[int, Exception | None]:
        """Adds a label, or keyword; for each UID None once the server confirmed it, or what is wrong.

        A message that is gone meanwhile is missing.
        """
        ...


class MessageIndex(Protocol):
    """The record of messages done so far."""

    def done(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        """Those of one chunk that were done before, in this run or an earlier one that was stored."""
        ...
