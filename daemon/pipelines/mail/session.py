"""The mailbox of an account: opened, used and closed, over one connection at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

import msgspec

from daemon.clock import Clock
from daemon.pipelines.mail import errors, labels
from daemon.pipelines.mail.account import MailAccount
from daemon.pipelines.mail.concealment import Concealment
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.fetch import fetch
from daemon.pipelines.mail.message import Fetched
from daemon.pipelines.mail.opening import Opener, SelectedFolder
from daemon.pipelines.mail.ports import Mailbox, Watch
from daemon.pipelines.mail.search import search
from daemon.pipelines.mail.watchdog import Watchdog
from daemon.taxonomy import RunState

T = TypeVar("T")
VERIFY_SECONDS = 20.0
"""Longest that `verify` takes."""
MOST_RECONNECTS = 16
"""In one run. To find the one message of 1,000 that breaks the connection takes eleven."""


@contextmanager
def open_mailbox(account: MailAccount, watch: Watch, clock: Clock) -> Iterator[Mailbox]:
    """The account's folder, selected; the connection is closed at the end of the `with` block.

    The account's deadline begins now; whatever is under way when it passes ends with
    `DeadlinePassed`. Raises an error of `daemon.pipelines.mail.errors`, `OSError`, or an error of
    httpx for a token endpoint that cannot be reached; none of them repeats a secret.
    """
    with (
        Concealment(account) as concealment,
        Watchdog(watch, clock, account.source.deadline) as watchdog,
    ):
        mailbox = ImapMailbox(
            account, Opener(account, watch, watchdog, clock, concealment.add), clock
        )
        try:
            yield mailbox
        finally:
            mailbox.close()


def verify(account: MailAccount, clock: Clock) -> None:
    """Connects, logs in and opens the folder, within `VERIFY_SECONDS`; raises what goes wrong."""
    source = account.source
    brief = msgspec.structs.replace(source, deadline=min(source.deadline, VERIFY_SECONDS))
    with open_mailbox(msgspec.structs.replace(account, source=brief), _Unwatched(), clock):
        return


class _Unwatched:
    """Nobody looks on."""

    @property
    def cancelled(self) -> bool:
        return False

    def step(self, state: RunState | str, text: str = "") -> None:
        """Nobody is told."""


class ImapMailbox:
    """A folder on its server. One thread at a time may use it."""

    def __init__(self, account: MailAccount, opener: Opener, clock: Clock) -> None:
        self._opener = opener
        self._clock = clock
        self._reconnects = 0
        self._conversation, self._folder = opener.open()
        try:
            self._gmail = labels.uses_gmail_labels(account.source, self._folder.offered)
        except errors.LabelsNotOffered:
            self.close()
            raise

    @property
    def uidvalidity(self) -> int:
        """While it stays the same, a UID means the same message."""
        return self._folder.uidvalidity

    def search(self, since: datetime) -> list[int]:
        """UIDs of the messages received at `since` or later, lowest first. May hold a few older ones."""
        now = self._clock.now()
        return self._ask(lambda server: search(server, self._folder.offered, since, now))

    def fetch(self, uids: Sequence[int]) -> Fetched:
        """The messages of one chunk, left unread."""
        gmail = b"X-GM-EXT-1" in self._folder.offered
        return self._ask(lambda server: fetch(server, uids, gmail=gmail))

    def label(self, uids: Sequence[int], label: str) -> Mapping[int, Exception | None]:
        """Adds a label, or keyword; for each UID None once the server confirmed it, or what is wrong.

        A message that is gone meanwhile is missing. Raises `KeywordsNotAllowed`.
        """
        if self._gmail:
            return self._ask(lambda server: labels.add_label(server, uids, label))
        permanent = self._folder.permanent
        return self._ask(lambda server: labels.add_keyword(server, uids, label, permanent))

    def close(self) -> None:
        """Logs out and closes the connection. Again is free."""
        self._conversation.close()

    def _ask(self, command: Callable[[ImapConversation], T]) -> T:
        """The answer; commands may be repeated, since saying them twice changes nothing."""
        try:
            return command(self._conversation)
        except errors.AccessTokenExpired:
            self._reopen(self._opener.open_with_new_token)
            return command(self._conversation)

    def reconnect(self, reason: Exception) -> None:
        """Opens the folder anew after `reason` broke the connection, which is raised if that cannot be."""
        self._reconnects += 1
        if self._reconnects > MOST_RECONNECTS:
            raise reason
        try:
            self._reopen(self._opener.open)
        except (errors.RunCancelled, errors.DeadlinePassed, errors.FolderRenumbered):
            raise
        except Exception as error:
            raise reason from error

    def _reopen(self, opening: Callable[[], tuple[ImapConversation, SelectedFolder]]) -> None:
        self.close()
        self._conversation, folder = opening()
        if folder.uidvalidity != self._folder.uidvalidity:
            raise errors.FolderRenumbered
        self._folder = folder
