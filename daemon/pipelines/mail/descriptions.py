"""What a server says of messages (untagged FETCH), each description taken apart by itself.

One that cannot be read spoils no other. One without a UID counts for nothing: it tells of another
client's change to the message with that number in the folder, which is no UID.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imapclient.response_parser import parse_fetch_response

Description = Mapping[bytes, Any]
"""What is said of one message, by the name of the item."""
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)


def descriptions(data: Sequence[Any]) -> tuple[dict[int, dict[bytes, Any]], set[int]]:
    """By UID what `data` says of each message, and UIDs of what cannot be read, as far as they can be told.

    `data` is as imaplib collects it: lines, and before them pairs of a line's beginning and its literal.
    """
    described: dict[int, dict[bytes, Any]] = {}
    garbled: set[int] = set()
    for response in _responses(data):
        try:
            (description,) = parse_fetch_response(
                response, normalise_times=False, uid_is_key=False
            ).values()
        except Exception:  # noqa: BLE001 (whatever a hostile answer makes the library raise)
            garbled |= _uids_in(response)
            continue
        uid = description.pop(b"UID", None)
        if isinstance(uid, int):
            described.setdefault(uid, {}).update(description)
    return described, garbled


def _responses(data: Sequence[Any]) -> Iterator[list[Any]]:
    """A line without a literal ends what is said of a message."""
    response: list[Any] = []
    for part in data:
        if part is not None:
            response.append(part)
        if response and not isinstance(part, tuple):
            yield response
            response = []


def _uids_in(response: Sequence[Any]) -> set[int]:
    lines = (part[0] if isinstance(part, tuple) else part for part in response)
    return {int(uid) for line in lines for uid in _UID.findall(line)}
