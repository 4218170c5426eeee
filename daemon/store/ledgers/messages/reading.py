"""Reads which mail messages are done; the mail pipeline's `MessageIndex`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from daemon.clock import Clock
from daemon.item_key import item_key
from daemon.pipelines.mail.config import PIPELINE
from daemon.pipelines.mail.message import Identity
from daemon.store.database import Database
from daemon.store.ledgers.messages import SQL
from daemon.store.records import stored


class Messages:
    """Queries over messages. Each looks at one chunk of an account."""

    def __init__(self, database: Database, clock: Clock, pipeline: str = PIPELINE) -> None:
        self._database = database
        self._clock = clock
        self._pipeline = pipeline

    def done(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        """See `MessageIndex.done`."""
        return self._by_place(source, identities) | self._by_gmail_id(source, identities)

    def _by_place(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        by_folder: defaultdict[tuple[str, int], dict[int, Identity]] = defaultdict(dict)
        for identity in identities:
            by_folder[identity.folder, identity.uidvalidity][identity.uid] = identity
        found: set[Identity] = set()
        for (folder, uidvalidity), asked in by_folder.items():
            place = [min(asked), max(asked), uidvalidity, folder, source, self._pipeline]
            rows = self._database.rows(SQL["messages_in_folder"], place)
            found.update(asked[uid] for (uid,) in rows if uid in asked)
        return found

    def _by_gmail_id(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        asked = {i.gm_msgid: i for i in identities if i.gm_msgid is not None}
        if not asked:
            return set()
        rows = self._database.rows(
            SQL["messages_by_gmail_id"], [list(asked), source, self._pipeline]
        )
        return {asked[gm_msgid] for (gm_msgid,) in rows}

    def set_aside(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        """See `MessageIndex.set_aside`."""
        if not identities:
            return set()
        keys = {item_key(self._pipeline, source, i.item): i for i in identities}
        parameters = {"keys": list(keys), "now": stored(self._clock.now())}
        return {keys[key] for (key,) in self._database.rows(SQL["messages_set_aside"], parameters)}
