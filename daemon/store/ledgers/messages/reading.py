"""Reads what a run has to know of mail messages; the mail pipeline's `MessageIndex`."""

from __future__ import annotations

from datetime import datetime

from daemon.clock import Clock
from daemon.pipelines.mail.config import PIPELINE
from daemon.pipelines.mail.known import DoneMessage, pack
from daemon.store.database import Database
from daemon.store.ledgers.messages import SQL
from daemon.store.records import stored, utc


class Messages:
    """Queries over messages."""

    def __init__(self, database: Database, clock: Clock, pipeline: str = PIPELINE) -> None:
        self._reader = database.read()
        self._clock = clock
        self._pipeline = pipeline

    def reach(self, source: str, folder: str) -> datetime | None:
        """See `MessageIndex.reach`."""
        where = {"pipeline": self._pipeline, "source": source, "folder": folder}
        rows = self._reader.rows(SQL["mailbox_reach"], where)
        return utc(rows[0][0]) if rows else None

    def known(
        self,
        source: str,
        since: datetime,
        wanted: frozenset[str] | None,
        reach: datetime | None = None,
    ) -> bytes:
        """See `MessageIndex.known`."""
        account = {"pipeline": self._pipeline, "source": source}
        window = account | {"since": stored(since), "wanted": list(wanted or ())}
        done = self._reader.rows(SQL["known_messages"], window)
        aside = self._reader.rows(
            SQL["messages_set_aside"], account | {"now": stored(self._clock.now())}
        )
        return pack((DoneMessage(*row) for row in done), (key for (key,) in aside), reach)
