"""A message as the server describes it, without its contents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

HEADER_FIELDS = (
    "From",
    "Sender",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Unsubscribe",
    "Precedence",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "Return-Path",
    "Content-Type",
)
"""The header fields that are fetched."""
LONG_FIELDS = ("To", "Cc", "References")
"""Those that may be very long, which are fetched apart from the others."""
DECIDING_FIELDS = tuple(name for name in HEADER_FIELDS if name not in LONG_FIELDS)
LONGEST_HEADERS = 64 * 1024
"""Bytes of each of the two that are fetched and looked at."""


class FetchedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the folder that was selected."""

    uid: int
    gm_msgid: int | None = None
    """Gmail's id, the same in all folders."""
    received: datetime
    """INTERNALDATE, UTC."""
    size: int
    """Bytes."""
    flags: frozenset[str]
    """Flags and keywords, such as ``\\Seen`` and ``$Newsletter``; on Gmail also its labels."""
    headers: bytes
    """`DECIDING_FIELDS` as the server sends them."""
    long_headers: bytes = b""
    """`LONG_FIELDS` as the server sends them."""


class Fetched(msgspec.Struct, frozen=True):
    """What a chunk came to."""

    messages: list[FetchedMessage]
    unreadable: Mapping[int, Exception]
    """By UID, what is wrong with messages that the server lists but does not describe as it should."""
    gone: Sequence[int] = ()
    """UIDs of messages that are not in the folder any more."""


class Identity(msgspec.Struct, frozen=True):
    """What stays the same of a message: on Gmail its id, elsewhere UID within UIDVALIDITY of a folder."""

    folder: str
    uidvalidity: int
    uid: int
    gm_msgid: int | None = None

    @property
    def item(self) -> str:
        """The name of the message as an item of a run; it holds nothing personal."""
        if self.gm_msgid is not None:
            return f"gmail-{self.gm_msgid}"
        return f"{self.folder}/{self.uidvalidity}/{self.uid}"
