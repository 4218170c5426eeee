"""How far a run looks, and how far the folder was looked through once it is done."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.account import MailAccount
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.errors import MessagesMissed
from daemon.pipelines.mail.facts import MailboxReach
from daemon.pipelines.mail.known import KnownMessages
from daemon.pipelines.mail.window import Window, gaps_of


class Looking(NamedTuple):
    """One run's look at a folder, from its begin on. A dry run leaves no trace of it."""

    run: RunHandle
    account: MailAccount
    window: Window
    began: datetime
    is_first: bool
    """Whether nothing is known of what was looked through before."""

    @classmethod
    def of(cls, run: RunHandle, account: MailAccount, now: datetime) -> Looking:
        """What a run that begins now has to look at."""
        reach = KnownMessages(run.known, run.source).reach
        is_first = reach is None or reach > now
        return cls(run, account, Window.of(account.source, reach, now), now, is_first)

    def begin(self) -> None:
        """From the first attempt on nothing is to be missed, however long it takes till one succeeds."""
        if self.is_first and self._counts:
            self._note(self.window.since)

    def end(self) -> None:
        """Everything was seen: what was to be looked at is done, and what lies further back is said."""
        for gap in gaps_of(self.run.wanted):
            self.run.succeed(gap.item)
        if not self._counts:
            return
        if self.window.missed is not None:
            error = MessagesMissed(
                "No run saw the messages received between "
                f"{self.window.missed.start:%Y-%m-%d %H:%M} and {self.window.missed.end:%Y-%m-%d %H:%M} UTC: "
                "that is further back than `catch_up` of the account"
            )
            self.run.fail(self.window.missed.item, error)
        self._note(self.began)

    def words(self) -> str:
        """What is looked for."""
        if gaps_of(self.run.wanted):
            return "Looking for messages that were missed"
        if self.window.reaches_back:
            since = f"{self.window.since:%Y-%m-%d %H:%M} UTC"
            return f"Looking for messages since {since}, back to the last run that saw them all"
        hours = self.account.source.hours
        return f"Looking for messages of the last {'hour' if hours == 1 else f'{hours:,} hours'}"

    @property
    def _counts(self) -> bool:
        return self.run.wanted is None and not self.account.source.dry_run

    def _note(self, until: datetime) -> None:
        source = self.account.source
        mailbox = mailbox_of(self.account.name, source)
        self.run.note(MailboxReach(folder=source.folder, mailbox=mailbox, until=until))
