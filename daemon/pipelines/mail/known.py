"""What is known of an account's messages before a run, packed so that it goes along with the run's order."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

import msgspec

from daemon.item_key import item_key
from daemon.pipelines.mail.config import PIPELINE
from daemon.pipelines.mail.message import Identity


class DoneMessage(NamedTuple):
    """A message that is done."""

    folder: str
    uidvalidity: int
    uid: int
    gm_msgid: int | None


class _Done(msgspec.Struct, frozen=True, array_like=True):
    folder: str
    uidvalidity: int
    uids: bytes
    """All numbers are of 8 bytes each, in the machine's own order of bytes, lowest first."""


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    places: tuple[_Done, ...] = ()
    gmail_ids: bytes = b""
    set_aside: bytes = b""
    reach: datetime | None = None


def pack(
    done: Iterable[DoneMessage], set_aside: Iterable[int], reach: datetime | None = None
) -> bytes:
    """Messages that are done, sorted, the item keys of those not to be tried again, and how far the
    folder was looked through."""
    places: list[_Done] = []
    gmail_ids = array("Q")
    for (folder, uidvalidity), messages in groupby(done, lambda message: message[:2]):
        uids = array("Q")
        for message in messages:
            uids.append(message.uid)
            if message.gm_msgid is not None:
                gmail_ids.append(message.gm_msgid)
        places.append(_Done(folder, uidvalidity, uids.tobytes()))
    packed = _Packed(tuple(places), _sorted(gmail_ids), _sorted(set_aside), reach)
    return msgspec.msgpack.encode(packed)


def _sorted(numbers: Iterable[int]) -> bytes:
    return array("Q", sorted(numbers)).tobytes()


class KnownMessages:
    """Finds out which messages of an account need nothing."""

    def __init__(self, packed: bytes, source: str) -> None:
        """`packed` is what `pack` made; empty when nothing is known."""
        found = msgspec.msgpack.decode(packed, type=_Packed) if packed else _Packed()
        self._source = source
        self.reach = found.reach
        """See `MessageIndex.reach`."""
        self._places = {(d.folder, d.uidvalidity): _numbers(d.uids) for d in found.places}
        self._gmail_ids = _numbers(found.gmail_ids)
        self._set_aside = _numbers(found.set_aside)

    def done(self, identities: Iterable[Identity]) -> set[Identity]:
        """Those that were done before. They are found by where they are, and by Gmail's id if that is given."""
        return {identity for identity in identities if self._is_done(identity)}

    def _is_done(self, identity: Identity) -> bool:
        uids = self._places.get((identity.folder, identity.uidvalidity), _NONE)
        return _holds(uids, identity.uid) or (
            identity.gm_msgid is not None and _holds(self._gmail_ids, identity.gm_msgid)
        )

    def set_aside(self, identities: Iterable[Identity]) -> set[Identity]:
        """Those that failed and are not to be tried again by themselves.

        Another attempt would not help, is not due yet, or a person decided so.
        """
        return {
            identity
            for identity in identities
            if _holds(self._set_aside, item_key(PIPELINE, self._source, identity.item))
        }


def _numbers(packed: bytes) -> memoryview:
    return memoryview(packed).cast("Q")


_NONE = _numbers(b"")


def _holds(numbers: memoryview, wanted: int) -> bool:
    at = bisect_left(numbers, wanted)
    return at < len(numbers) and numbers[at] == wanted
