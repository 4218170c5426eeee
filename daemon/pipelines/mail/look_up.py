"""What a run is told of messages: those of the time that it is going to look at."""

from __future__ import annotations

from datetime import timedelta

from daemon.clock import Clock
from daemon.pipelines.mail.ports import KeptAccounts, MessageIndex
from daemon.pipelines.mail.window import Window, gaps_of

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
        settings = self._accounts.settings(source)
        reach = self._messages.reach(source, settings.folder)
        window = Window.of(settings, reach, self._clock.now())
        since = min([window.since, *(gap.start for gap in gaps_of(wanted))]) - _MARGIN
        return self._messages.known(source, since, wanted, reach)
