"""Which mailbox each mail source stands for: in another one under the same name everything is new.

Servers count UIDVALIDITY and UID from small numbers, so the messages of two mailboxes may have the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from daemon.store.ledgers.messages import SQL


def known(connection: duckdb.DuckDBPyConnection, pipeline: str) -> dict[str, str]:
    """The mailboxes that the pipeline's sources last stood for, by source, removed ones included."""
    return dict(connection.execute(SQL["known_mailboxes"], [pipeline]).fetchall())


def follow(
    connection: duckdb.DuckDBPyConnection, pipeline: str, present: Mapping[str, str]
) -> dict[str, int]:
    """Takes in what the sources stand for at present, in one transaction.

    Returns how many messages were forgotten, by source that stands for another mailbox than before.
    Of a source that is seen for the first time nothing is forgotten.
    """
    before = known(connection, pipeline)
    fresh = {source: mailbox for source, mailbox in present.items() if source not in before}
    moved = {s: mailbox for s, mailbox in present.items() if before.get(s, mailbox) != mailbox}
    if not fresh and not moved:
        return {}
    connection.execute("BEGIN")
    try:
        for source, mailbox in fresh.items():
            connection.execute(SQL["add_mailbox"], [pipeline, source, mailbox])
        forgotten = {s: replace(connection, pipeline, s, moved[s]) for s in moved}
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return forgotten


def replace(connection: duckdb.DuckDBPyConnection, pipeline: str, source: str, mailbox: str) -> int:
    """Within a transaction: the source stands for this mailbox now, and nothing is done in it yet.

    Returns how many messages were forgotten. Failures stay for a person to decide about.
    """
    ((forgotten,),) = connection.execute(SQL["forget_messages"], [pipeline, source]).fetchall()
    connection.execute(SQL["detach_failures"], [pipeline, source])
    connection.execute(SQL["drop_mailbox"], [pipeline, source])
    connection.execute(SQL["add_mailbox"], [pipeline, source, mailbox])
    return int(forgotten)
