"""The mail pipeline: each new message of an account gets the label of its category, once."""

from __future__ import annotations

from contextlib import suppress

from daemon.clock import Clock
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.account import MailAccount, MailAccounts
from daemon.pipelines.mail.categoriser import Categoriser, CategorySession
from daemon.pipelines.mail.config import MailConfig
from daemon.pipelines.mail.configured import mailbox_of
from daemon.pipelines.mail.errors import RunCancelled
from daemon.pipelines.mail.known import KnownMessages
from daemon.pipelines.mail.looking import Looking
from daemon.pipelines.mail.ports import Mailbox, OpenMailbox
from daemon.pipelines.mail.selection import Knowledge, Selection
from daemon.pipelines.mail.sweep import MailboxSweep
from daemon.taxonomy import RunState


class MailPipeline:
    """Called with a run, it processes the account that `run.source` names.

    One instance serves all accounts and may be called for several of them at the same time.
    """

    def __init__(
        self,
        config: MailConfig,
        accounts: MailAccounts,
        categoriser: Categoriser,
        open_mailbox: OpenMailbox,
        clock: Clock,
    ) -> None:
        self._chunk = config.chunk
        self._accounts = accounts
        self._categoriser = categoriser
        self._open_mailbox = open_mailbox
        self._clock = clock
        self._knowledge = Knowledge()

    def __call__(self, run: RunHandle) -> None:
        """Processes one account.

        Raises what keeps the account as a whole from being processed: `CredentialsMissing`, and what
        `Mailbox` raises. What the server confirmed until then is done.
        """
        run.step(RunState.CONNECTING, "Looking up the credentials")
        account = self._accounts.account(run.source)
        looking = Looking.of(run, account, self._clock.now())
        looking.begin()
        # Whoever cancelled the run knows; what was done until then is done.
        with (
            suppress(RunCancelled),
            self._categoriser.session() as session,
            self._open_mailbox(account, run, self._clock) as mailbox,
        ):
            self._sweep(run, account, mailbox, session, looking)

    def _sweep(
        self,
        run: RunHandle,
        account: MailAccount,
        mailbox: Mailbox,
        session: CategorySession,
        looking: Looking,
    ) -> None:
        source = account.source
        before = KnownMessages(run.known, run.source)
        known = self._knowledge.of(account.name, source, mailbox.uidvalidity)
        selection = Selection(run, source, mailbox, before, known, looking.window.since)
        mailbox_id = mailbox_of(account.name, source)
        sweep = MailboxSweep(run, source, mailbox, selection, session, mailbox_id, self._clock)
        run.step(RunState.FETCHING, looking.words())
        sweep.run(self._chunk)
        if sweep.saw_all:
            looking.end()
