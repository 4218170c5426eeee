"""What a run is told of messages: those of the hours that its account looks at."""

from __future__ import annotations

from datetime import timedelta

from daemon.clock import Clock
from daemon.pipelines.mail.ports import KeptAccounts, MessageIndex

_MARGIN = timedelta(days=3)
"""Servers that search by whole days, in a time zone of their own, list a few older messages as well."""


class MessageLookUp:
    """See `daemon.pipelines.catalog.LookUp`."""

    def __init__(self, accounts: KeptAccounts, messages: MessageIndex, clock: Clock) -> None:
        self._accounts = accounts
        self._messages = messages
        self._clock = clock

    def __call__(self, source: str, wanted: frozenset[str] | None) -> bytes:
        """Raises `NotFound` when the account went away."""
        hours = timedelta(hours=self._accounts.settings(source).hours)
        return self._messages.known(source, self._clock.now() - hours - _MARGIN, wanted)
