"""Writing a category to messages: as a label on Gmail, as an IMAP keyword elsewhere.

A server's OK proves nothing. What counts is the label among those that the server returns afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from imapclient.imap_utf7 import encode as encode_utf7

from daemon.pipelines.mail import errors
from daemon.pipelines.mail.config import MailSource
from daemon.pipelines.mail.conversation import ImapConversation
from daemon.pipelines.mail.descriptions import Description, descriptions
from daemon.pipelines.mail.fetch import FLAGS, LABELS, ask, names
from daemon.pipelines.mail.search import listed

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
    quoted = '"' + str(encode_utf7(label), "ascii").replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _write(conversation, uids, label, LABELS, quoted)


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
    return _write(conversation, uids, written, FLAGS, written)


def _write(
    conversation: ImapConversation, uids: Sequence[int], written: str, item: str, stored: str
) -> dict[int, Exception | None]:
    """Stores, then looks at what the messages have: as the answer says, or else when asked again.

    Raises `LabelRefused` when it may be one of several messages that the server refuses it for.
    """
    client, asked = conversation.connection, ",".join(map(str, uids))
    refused: Exception | None = None
    answer: Sequence[Any] = ()
    try:
        answer = conversation.ask(
            errors.LabelRefused, lambda: client.uid("STORE", asked, f"+{item}", f"({stored})")
        )
    except errors.LabelRefused as error:
        if len(uids) > 1 and not error.concerns_account:
            raise
        refused = error
    present = _present(descriptions(answer)[0], item)
    unsure = [uid for uid in uids if not _holds(present.get(uid, ()), written)]
    garbled: set[int] = set()
    if unsure:
        described, garbled = ask(conversation, unsure, [item])
        present |= _present(described, item)
    outcome: dict[int, Exception | None] = {
        uid: None if _holds(present[uid], written) else refused or errors.LabelNotConfirmed()
        for uid in uids
        if uid in present
    }
    unseen = [uid for uid in uids if uid not in outcome]
    for uid in listed(conversation, unseen) if unseen else ():
        unreadable = errors.MessageUnreadable() if uid in garbled else None
        outcome[uid] = unreadable or refused or errors.LabelNotConfirmed()
    return outcome


def _present(described: Mapping[int, Description], item: str) -> dict[int, frozenset[str]]:
    """What each message has, of those of which it is told."""
    key = item.encode()
    return {
        uid: names(said[key], item)
        for uid, said in described.items()
        if isinstance(said.get(key), tuple)
    }


def _holds(present: Collection[str], written: str) -> bool:
    return written.casefold() in map(str.casefold, present)
