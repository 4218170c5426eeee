"""Reads which mail messages are done; the mail pipeline's `MessageIndex`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.clock import Clock
from daemon.pipelines.mail.message import Identity
from daemon.store.build import item_key
from daemon.store.database import Database
from daemon.store.records import stored


class Messages:
    """Queries over messages. Each looks at one chunk of an account."""

    def __init__(self, database: Database, clock: Clock, pipeline: str = "mail") -> None:
        self._database = database
        self._clock = clock
        self._pipeline = pipeline

    def done(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        """See `MessageIndex.done`."""
        if not identities:
            return set()
        found = self._database.rows(_DONE, self._parameters(source, identities))
        return {identities[n] for (n,) in found}

    def set_aside(self, source: str, identities: Sequence[Identity]) -> set[Identity]:
        """See `MessageIndex.set_aside`."""
        if not identities:
            return set()
        keys = {item_key(self._pipeline, source, i.item): i for i in identities}
        parameters = {"keys": list(keys), "now": stored(self._clock.now())}
        return {keys[key] for (key,) in self._database.rows(_SET_ASIDE, parameters)}

    def _parameters(self, source: str, identities: Sequence[Identity]) -> dict[str, Any]:
        return {
            "pipeline": self._pipeline,
            "source": source,
            "folders": [identity.folder for identity in identities],
            "validities": [identity.uidvalidity for identity in identities],
            "uids": [identity.uid for identity in identities],
            "gm_msgids": [identity.gm_msgid for identity in identities],
        }


# Two joins, each of which DuckDB narrows to the few values asked for; one join with OR would not be.
_DONE = """
    WITH asked AS MATERIALIZED (
        SELECT unnest($folders::VARCHAR[]) AS folder, unnest($validities::BIGINT[]) AS uidvalidity,
               unnest($uids::BIGINT[]) AS uid, unnest($gm_msgids::UBIGINT[]) AS gm_msgid,
               unnest(range(len($uids))) AS n)
    SELECT n FROM asked SEMI JOIN (
        SELECT folder, uidvalidity, uid FROM messages WHERE pipeline = $pipeline AND source = $source
    ) USING (uid, uidvalidity, folder)
    UNION
    SELECT n FROM asked SEMI JOIN (
        SELECT gm_msgid FROM messages WHERE pipeline = $pipeline AND source = $source
    ) USING (gm_msgid)"""

_SET_ASIDE = """
    WITH latest AS (
        SELECT max(id) AS id FROM failures WHERE item_key IN (SELECT unnest($keys::UBIGINT[]))
        GROUP BY item_key)
    SELECT item_key FROM failures WHERE id IN (FROM latest)
       AND (status IN ('quarantined', 'ignored')
            OR (status = 'open' AND (retry_at IS NULL OR retry_at > $now)))"""
