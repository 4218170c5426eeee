"""Searching the messages of the last hours, in the narrowest way that the server offers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from math import ceil

from imapclient.datetime_util import format_criteria_date

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.conversation import ImapConversation

SKEW = 60
"""Seconds that the server's clock may differ from ours."""
MOST_FOUND = 5_000_000
"""UIDs that are taken from one answer; `1:4294967295` could otherwise fill the memory."""
_ALL = re.compile(rb"(?:^|\) | )ALL ([\d:,]+)", re.IGNORECASE)


def search(
    conversation: ImapConversation, offered: Collection[bytes], since: datetime, now: datetime
) -> list[int]:
    """UIDs of the messages received at `since` or later, and perhaps a few older ones, lowest first."""
    return _found(conversation, criteria(offered, since, now))


def listed(conversation: ImapConversation, uids: Collection[int]) -> set[int]:
    """Those of `uids` that are in the folder; all of them when the server does not answer that."""
    try:
        found = _found(conversation, f"UID {','.join(map(str, uids))}")
    except (errors.ReadRefused, errors.AnswerGarbled):
        return set(uids)
    return set(uids).intersection(found)


def criteria(offered: Collection[bytes], since: datetime, now: datetime) -> str:
    """Search keys, from what the server can do: Gmail's own search, WITHIN, or whole days.

    None of them is `UID n:*`, which returns the last message even if its UID is lower.
    """
    if b"X-GM-EXT-1" in offered:
        return f'X-GM-RAW "after:{int(since.timestamp()) - SKEW}"'
    if b"WITHIN" in offered:
        return f"YOUNGER {max(0, ceil((now - since).total_seconds())) + SKEW}"
    # By date, and in the server's own time zone: a day more is enough for all of them.
    return "SINCE " + str(format_criteria_date((since - timedelta(days=1)).date()), "ascii")


def _found(conversation: ImapConversation, asked: str) -> list[int]:
    client = conversation.connection
    lines, extended = conversation.ask(errors.ReadRefused, lambda: client.uid_search(asked))
    uids = {uid for line in lines for uid in _numbers(line)}
    return sorted(uids.union(*map(_ranges, extended)) - {0})  # 0 is how some say that there is none


def _numbers(line: bytes) -> Iterable[int]:
    """The UIDs of one SEARCH line; beside them it may hold what else was asked for, in parentheses."""
    try:
        return [int(number) for number in line.partition(b"(")[0].split()]
    except ValueError:
        raise errors.AnswerGarbled from None


def _ranges(line: bytes) -> Iterator[int]:
    """Those of one ESEARCH line, the way that IMAP4rev2 answers."""
    found = _ALL.search(line)
    left = MOST_FOUND
    for part in found[1].split(b",") if found else ():
        first, _, last = part.partition(b":")
        try:
            low, high = sorted((int(first), int(last or first)))
        except ValueError:
            raise errors.AnswerGarbled from None
        left -= high - low + 1
        if left < 0:
            raise errors.AnswerTooLong
        yield from range(low, high + 1)
