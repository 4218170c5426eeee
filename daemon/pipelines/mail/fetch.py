"""Fetching what categories are found by: a few header fields, without contents, left unread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from imapclient.imap_utf7 import decode as decode_utf7

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.descriptions import Description, descriptions
from daemon.pipelines.mail.message import (
    DECIDING_FIELDS,
    LONG_FIELDS,
    LONGEST_HEADERS,
    Fetched,
    FetchedMessage,
)
from daemon.pipelines.mail.search import listed

FLAGS, LABELS = "FLAGS", "X-GM-LABELS"
_ITEMS = ("INTERNALDATE", "RFC822.SIZE", FLAGS)
_GMAIL_ITEMS = (*_ITEMS, "X-GM-MSGID", LABELS)
_HEADERS_BEGIN = b"BODY[HEADER"


def fetch(conversation: ImapConversation, uids: Sequence[int], *, gmail: bool) -> Fetched:
    """The messages, in two commands, and in more only where the answer lacks some that are there."""
    if not uids:
        return Fetched([], {})
    fetched = _fetch(conversation, uids, gmail=gmail)
    if len(uids) == 1 or not fetched.unreadable:
        return fetched
    # What is wrong with one may have hidden others: what counts is the answer to each alone.
    alone = [_fetch(conversation, [uid], gmail=gmail) for uid in fetched.unreadable]
    return Fetched(
        sorted(
            (m for each in (fetched, *alone) for m in each.messages),
            key=lambda message: message.uid,
        ),
        {uid: error for each in alone for uid, error in each.unreadable.items()},
        [uid for each in (fetched, *alone) for uid in each.gone],
    )


def _fetch(conversation: ImapConversation, uids: Sequence[int], *, gmail: bool) -> Fetched:
    items = _GMAIL_ITEMS if gmail else _ITEMS
    described, garbled = ask(conversation, uids, [*items, _headers(DECIDING_FIELDS)])
    # Apart, for there may be thousands of recipients before what decides.
    long, long_garbled = ask(conversation, uids, [_headers(LONG_FIELDS)])
    missing = [uid for uid in uids if uid not in described.keys() & long.keys()]
    there = listed(conversation, missing) if missing else set()
    messages: list[FetchedMessage] = []
    unreadable: dict[int, Exception] = {}
    for uid in uids:
        if uid in garbled | long_garbled:
            unreadable[uid] = errors.MessageUnreadable()
        elif uid in missing:
            if uid in there:
                unreadable[uid] = errors.MessageLeftOut()
        else:
            try:
                messages.append(_message(uid, described[uid], long[uid], items))
            except errors.MailError as error:
                unreadable[uid] = error
    gone = [uid for uid in missing if uid not in unreadable]
    return Fetched(messages, unreadable, gone)


def ask(
    conversation: ImapConversation, uids: Sequence[int], items: Sequence[str]
) -> tuple[Mapping[int, Description], set[int]]:
    """What the server says of these messages, and the UIDs of what cannot be read."""
    client, asked = conversation.connection, ",".join(map(str, uids))
    try:
        said = conversation.ask(
            errors.ReadRefused, lambda: client.uid("FETCH", asked, f"({' '.join(items)})")
        )
    except errors.ReadRefused as refused:
        # Another program deleted some of them. Whether it was this one is seen by what is listed.
        if refused.imap_code != "EXPUNGEISSUED" or len(uids) > 1:
            raise
        return {}, set()
    return descriptions(said)


def names(values: Iterable[Any], item: str) -> frozenset[str]:
    """Flags and keywords, or Gmail's labels, as text."""
    return frozenset(_name(value, item) for value in values)


def _name(value: Any, item: str) -> str:
    if not isinstance(value, bytes):
        return str(value)  # one of digits only comes as a number
    if item == LABELS:
        with suppress(UnicodeDecodeError):
            return str(decode_utf7(value))
    return value.decode("utf-8", "replace")


def _headers(fields: Iterable[str]) -> str:
    # What is longer is not even sent: a sender could otherwise fill the memory.
    return f"BODY.PEEK[HEADER.FIELDS ({' '.join(fields).upper()})]<0.{LONGEST_HEADERS}>"


def _message(
    uid: int, said: Description, said_of_long: Description, items: Sequence[str]
) -> FetchedMessage:
    """Raises `MessageLeftOut` or `MessageUnreadable`."""
    headers, long_headers = _section(said), _section(said_of_long)
    left_out = [item for item in items if said.get(item.encode()) is None]
    if left_out:
        raise errors.MessageLeftOut(
            f"The mail server left out of its description of the message: {', '.join(left_out)}"
        )
    try:
        message = FetchedMessage(
            uid=uid,
            gm_msgid=said.get(b"X-GM-MSGID"),
            received=_received(said),
            size=int(said[b"RFC822.SIZE"]),
            flags=names(said[b"FLAGS"], FLAGS) | names(said.get(b"X-GM-LABELS", ()), LABELS),
            headers=headers,
            long_headers=long_headers,
        )
    except (TypeError, ValueError, OverflowError):
        raise errors.MessageUnreadable from None
    if message.size and not headers:
        raise errors.MessageLeftOut("The mail server gave no headers of the message")
    return message


def _received(said: Description) -> datetime:
    received = said[b"INTERNALDATE"]
    if not isinstance(received, datetime):
        raise TypeError("INTERNALDATE is no time")
    return received.astimezone(UTC)


def _section(said: Description) -> bytes:
    """The header fields. Raises for what is no whole section of them."""
    found = next((v for key, v in said.items() if key.startswith(_HEADERS_BEGIN)), None)
    if not isinstance(found, bytes):
        raise errors.MessageLeftOut("The mail server gave no headers of the message")
    lines = b"\n" + found.rstrip()
    if b"\n\r\n" in lines or b"\n\n" in lines:
        # An empty line ends a header: what comes after it is of something else.
        raise errors.MessageUnreadable
    if found and len(found) < LONGEST_HEADERS and not found.endswith(b"\n"):
        raise errors.MessageLeftOut("The mail server cut the headers of the message off")
    return found
