"""Writing a category to messages: as a label on Gmail, as an IMAP keyword elsewhere.

A server's OK proves nothing. What counts is the label among those that the server returns afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from imapclient.imap_utf7 import encode as encode_utf7

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.fetch import FLAGS, LABELS, named_of, names

_NO_ATOM = re.compile(r'[\x00-\x20\x7f(){}%*"\\\[\]]')
"""What no keyword may hold (RFC 9051: atom-specials), and `[`, which clients stumble over."""


def uses_gmail_labels(source: MailSource, offered: Collection[bytes]) -> bool:
    """Whether categories become Gmail's labels. Raises `LabelsNotOffered`."""
    has_labels = b"X-GM-EXT-1" in offered
    if source.label_as == "gmail" and not has_labels:
        raise errors.LabelsNotOffered
    return has_labels and source.label_as != "keywords"


def keyword(label: str) -> str:
    """The keyword for a label: what no atom may hold becomes `_`, the rest as in names of folders.

    "Needs Reply" is `Needs_Reply`; letters beyond ASCII are written in modified UTF-7 (RFC 3501,
    section 5.1.3). Servers do not tell capitals apart.
    """
    return str(encode_utf7(_NO_ATOM.sub("_", label)), "ascii")


def add_label(
    conversation: ImapConversation, uids: Sequence[int], label: str
) -> dict[int, Exception | None]:
    """Adds one of Gmail's labels, which Gmail makes if there is none of that name.

    For each UID None once the label was seen on it, or what is wrong; UIDs that are gone are missing.
    """
    client = conversation.connection
    return _write(
        conversation, uids, label, LABELS, lambda: client.add_gmail_labels(list(uids), [label])
    )


def add_keyword(
    conversation: ImapConversation,
    uids: Sequence[int],
    label: str,
    permanent: Collection[str] | None,
) -> dict[int, Exception | None]:
    """Adds the keyword for a label, and answers as `add_label` does.

    `permanent` are the PERMANENTFLAGS of the folder, None when the server did not tell them. Raises
    `KeywordsNotAllowed`.
    """
    written = keyword(label)
    if permanent is not None and "\\*" not in permanent and not _holds(permanent, written):
        raise errors.KeywordsNotAllowed
    client = conversation.connection
    return _write(
        conversation, uids, written, FLAGS, lambda: client.add_flags(list(uids), [written])
    )


def _write(
    conversation: ImapConversation,
    uids: Sequence[int],
    written: str,
    item: str,
    store: Callable[[], Mapping[int, Sequence[Any]] | None],
) -> dict[int, Exception | None]:
    """Stores, then looks at what the messages have: as the answer says, or else when asked again."""
    refused: Exception | None = None
    answer: Mapping[int, Sequence[Any]] = {}
    try:
        answer = conversation.ask(errors.LabelRefused, lambda: store() or {})
    except errors.LabelRefused as error:
        refused = error
    except errors.AnswerGarbled:
        pass  # one message's flags spoil the answer; which have it is asked below
    present = {uid: names(values, item) for uid, values in answer.items()}
    unsure = [uid for uid in uids if not _holds(present.get(uid, ()), written)]
    seen, garbled = named_of(conversation, unsure, item)
    present |= seen
    outcome: dict[int, Exception | None] = {uid: errors.MessageUnreadable() for uid in garbled}
    for uid in uids:
        if uid in present:
            confirmed = _holds(present[uid], written)
            outcome[uid] = None if confirmed else refused or errors.LabelNotConfirmed()
    return outcome


def _holds(present: Collection[str], written: str) -> bool:
    return written.casefold() in map(str.casefold, present)
