"""Searching the messages of the last hours, in the narrowest way that the server offers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from math import ceil

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.conversation import ImapConversation

SKEW = 60
"""Seconds that the server's clock may differ from ours."""


def search(
    conversation: ImapConversation, offered: Collection[bytes], since: datetime, now: datetime
) -> list[int]:
    """UIDs of the messages received at `since` or later, and perhaps a few older ones, lowest first."""
    asked = criteria(offered, since, now)
    client = conversation.connection
    found = conversation.ask(errors.ReadRefused, lambda: client.search(asked))
    return sorted(set(found))


def criteria(offered: Collection[bytes], since: datetime, now: datetime) -> str | list[str | date]:
    """Search keys, from what the server can do: Gmail's own search, WITHIN, or whole days.

    None of them is `UID n:*`, which returns the last message even if its UID is lower.
    """
    if b"X-GM-EXT-1" in offered:
        return f'X-GM-RAW "after:{int(since.timestamp()) - SKEW}"'
    if b"WITHIN" in offered:
        return ["YOUNGER", str(max(0, ceil((now - since).total_seconds())) + SKEW)]
    # By date, and in the server's own time zone: a day more is enough for all of them.
    return ["SINCE", (since - timedelta(days=1)).date()]
