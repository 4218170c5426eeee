"""A mail server in memory: accounts with messages, that mailboxes are opened on as on a real one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import inf

import msgspec

from daemon.clock import Clock
from daemon.pipelines.mail.account import MailAccount
from daemon.pipelines.mail.errors import (
    DeadlinePassed,
    LabelNotConfirmed,
    MessageUnreadable,
    OutOfStep,
    RunCancelled,
)
from daemon.pipelines.mail.message import Fetched, FetchedMessage
from daemon.pipelines.mail.ports import Mailbox, Watch
from daemon.taxonomy import RunState


class Folder:
    """A folder with its messages by UID, and what is to go wrong with it."""

    def __init__(self, uidvalidity: int = 1700000000, *, gmail: bool = False) -> None:
        self.uidvalidity = uidvalidity
        self.gmail = gmail
        self.messages: dict[int, FetchedMessage] = {}
        self.unreadable: set[int] = set()
        self.refuses: set[int] = set()
        """UIDs whose labels are dropped though the server says OK."""
        self.lost_at: str | None = None
        """The command at which the connection is lost: search, fetch or label."""
        self.answers_before_loss = 0
        """How often that command still works."""
        self.breaks_at: set[int] = set()
        """UIDs that break the connection when they are fetched."""
        self.deadline: float | None = None
        """Seconds after which a mailbox that was opened ends."""
        self.stored: list[tuple[tuple[int, ...], str]] = []
        """Every label command."""
        self.fetched: list[tuple[int, ...]] = []

    def deliver(
        self, headers: str, received: datetime, uid: int | None = None, gm_msgid: int | None = None
    ) -> int:
        """A message arrives; its header fields are given as lines."""
        uid = uid or max(self.messages, default=0) + 1
        self.messages[uid] = FetchedMessage(
            uid=uid,
            gm_msgid=gm_msgid or 1278455344230334865 + uid if self.gmail else None,
            received=received,
            size=1000,
            flags=frozenset(),
            headers=headers.replace("\n", "\r\n").encode("utf-8", "surrogateescape"),
        )
        return uid

    def labels(self, uid: int) -> frozenset[str]:
        return self.messages[uid].flags


class MemoryMailbox:
    """A `Mailbox` on a folder in memory."""

    def __init__(self, folder: Folder, watch: Watch, clock: Clock) -> None:
        self.folder = folder
        self._watch = watch
        self._clock = clock
        self._opened = clock.monotonic()

    @property
    def uidvalidity(self) -> int:
        return self.folder.uidvalidity

    def search(self, since: datetime) -> list[int]:
        """By whole days, like a server without WITHIN."""
        self._command("search")
        day = (since - timedelta(days=1)).date()
        return sorted(u for u, m in self.folder.messages.items() if m.received.date() >= day)

    def fetch(self, uids: Sequence[int]) -> Fetched:
        self._command("fetch")
        self.folder.fetched.append(tuple(uids))
        if self.folder.breaks_at & set(uids):
            raise OutOfStep
        present = [uid for uid in uids if uid in self.folder.messages]
        return Fetched(
            [self.folder.messages[uid] for uid in present if uid not in self.folder.unreadable],
            {uid: MessageUnreadable() for uid in present if uid in self.folder.unreadable},
            [uid for uid in uids if uid not in self.folder.messages],
        )

    def reconnect(self, reason: Exception) -> None:
        if self.folder.lost_at is not None:
            raise reason

    def label(self, uids: Sequence[int], label: str) -> Mapping[int, Exception | None]:
        self._command("label")
        self.folder.stored.append((tuple(uids), label))
        return {uid: self._add(uid, label) for uid in uids if uid in self.folder.messages}

    def _add(self, uid: int, label: str) -> Exception | None:
        if uid in self.folder.refuses:
            return LabelNotConfirmed()
        message = self.folder.messages[uid]
        self.folder.messages[uid] = msgspec.structs.replace(message, flags=message.flags | {label})
        return None

    def _command(self, name: str) -> None:
        if self._watch.cancelled:
            raise RunCancelled
        if self._clock.monotonic() - self._opened >= (self.folder.deadline or inf):
            raise DeadlinePassed
        if self.folder.lost_at == name:
            if not self.folder.answers_before_loss:
                raise ConnectionResetError(104, "Connection reset by peer")
            self.folder.answers_before_loss -= 1


class MemoryServer:
    """Folders by account."""

    def __init__(self, **folders: Folder) -> None:
        self.folders = folders
        self.open_connections = 0

    @contextmanager
    def open_mailbox(self, account: MailAccount, watch: Watch, clock: Clock) -> Iterator[Mailbox]:
        watch.step(RunState.CONNECTING, f"Connecting to {account.source.host}")
        self.open_connections += 1
        try:
            yield MemoryMailbox(self.folders[account.name], watch, clock)
        finally:
            self.open_connections -= 1
