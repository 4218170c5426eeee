"""A stand-in for the mail pipeline: it logs in and does nothing else."""

from __future__ import annotations

from daemon.clock import Clock
from daemon.pipelines.contract import RunHandle
from daemon.pipelines.mail.account import Accounts


class MailPipeline:
    """Logs in to one account a run."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def __call__(self, run: RunHandle) -> None:
        from daemon.pipelines.mail.session import verify

        run.step("connecting", "logging in")
        verify(self._accounts.account(run.source), self._clock)
