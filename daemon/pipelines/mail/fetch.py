"""Fetching what categories are found by: a few header fields, without contents, left unread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from imapclient.imap_utf7 import decode as decode_utf7

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.message import HEADER_FIELDS, LONGEST_HEADERS, Fetched, FetchedMessage

T = TypeVar("T")
# What is longer is not even sent: a sender could otherwise fill the memory.
_HEADERS = f"BODY.PEEK[HEADER.FIELDS ({' '.join(HEADER_FIELDS)})]<0.{LONGEST_HEADERS}>"
FLAGS, LABELS = "FLAGS", "X-GM-LABELS"
_ITEMS = ("INTERNALDATE", "RFC822.SIZE", FLAGS, _HEADERS)
_GMAIL_ITEMS = (*_ITEMS, "X-GM-MSGID", LABELS)
_HEADERS_BEGIN = b"BODY[HEADER.FIELDS"

Answer = Mapping[bytes, Any]
"""What the server says of one message, by the name of the item."""


def fetch(conversation: ImapConversation, uids: Sequence[int], *, gmail: bool) -> Fetched:
    """The messages, in one command unless one of them is described in a way that cannot be read."""
    items = _GMAIL_ITEMS if gmail else _ITEMS
    client = conversation.connection

    def ask(chunk: Sequence[int]) -> Mapping[int, Answer]:
        return conversation.ask(errors.ReadRefused, lambda: client.fetch(list(chunk), items))

    answers, garbled = by_halves(uids, ask)
    unreadable: dict[int, Exception] = {uid: errors.MessageUnreadable() for uid in garbled}
    messages = []
    for uid in uids:
        answer = answers.get(uid, {})
        if b"INTERNALDATE" not in answer:
            continue  # gone meanwhile; another client's change of flags may still be told
        try:
            messages.append(_message(uid, answer))
        except (TypeError, ValueError, AttributeError):
            unreadable[uid] = errors.MessageUnreadable()
    return Fetched(messages, unreadable)


def named_of(
    conversation: ImapConversation, uids: Sequence[int], item: str
) -> tuple[dict[int, frozenset[str]], list[int]]:
    """`FLAGS` or `LABELS` of the messages that are there, and the UIDs that cannot be read."""
    client = conversation.connection

    def ask(chunk: Sequence[int]) -> Mapping[int, Answer]:
        return conversation.ask(errors.ReadRefused, lambda: client.fetch(list(chunk), [item]))

    answers, garbled = by_halves(uids, ask)
    key = item.encode()
    present = {uid: names(answer[key], item) for uid, answer in answers.items() if key in answer}
    return present, garbled


def by_halves(
    uids: Sequence[int], ask: Callable[[Sequence[int]], Mapping[int, T]]
) -> tuple[dict[int, T], list[int]]:
    """The answers for all UIDs, and the UIDs whose own answer cannot be taken apart.

    One such message spoils the answer to the whole command, so the command is asked again for ever
    smaller parts until it stands alone.
    """
    if not uids:
        return {}, []
    try:
        return dict(ask(uids)), []
    except errors.AnswerGarbled:
        if len(uids) == 1:
            return {}, list(uids)
    except errors.ReadRefused as refused:
        # Another client deleted some of them: the others are still to be had.
        if refused.imap_code != "EXPUNGEISSUED":
            raise
        if len(uids) == 1:
            return {}, []
    middle = len(uids) // 2
    first, first_garbled = by_halves(uids[:middle], ask)
    second, second_garbled = by_halves(uids[middle:], ask)
    return first | second, first_garbled + second_garbled


def names(values: Sequence[Any], item: str) -> frozenset[str]:
    """Flags and keywords, or Gmail's labels, as text."""
    return frozenset(_name(value, item) for value in values)


def _name(value: Any, item: str) -> str:
    if not isinstance(value, bytes):
        return str(value)  # one of digits only comes as a number
    if item == LABELS:
        with suppress(UnicodeDecodeError):
            return str(decode_utf7(value))
    return value.decode("utf-8", "replace")


def _message(uid: int, answer: Answer) -> FetchedMessage:
    received = answer[b"INTERNALDATE"]
    if not isinstance(received, datetime):
        raise TypeError("INTERNALDATE is no time")
    headers = next((v for key, v in answer.items() if key.startswith(_HEADERS_BEGIN)), None)
    return FetchedMessage(
        uid=uid,
        gm_msgid=answer.get(b"X-GM-MSGID"),
        received=received.astimezone(UTC),
        size=int(answer.get(b"RFC822.SIZE", 0)),
        flags=names(answer.get(b"FLAGS", ()), FLAGS)
        | names(answer.get(b"X-GM-LABELS", ()), LABELS),
        headers=headers or b"",
    )
