"""Writes what people decide about failure groups, within the writer's transaction."""

from __future__ import annotations

from typing import assert_never

import duckdb

from daemon import events
from daemon.store.records import stored
from daemon.store.sql import SQL


def apply(connection: duckdb.DuckDBPyConnection, event: events.AnyGroupEvent) -> None:
    """Carries out one decision."""
    match event:
        case events.GroupDecided():
            _decide(connection, event)
        case events.GroupsMerged():
            into = event.into
            connection.execute(SQL["merge_groups"], [list(event.failure_groups), into, into])
            connection.execute(SQL["follow_merges"])
        case events.GroupUnmerged():
            connection.execute(SQL["unmerge_group"], [event.failure_group] * 3)
            connection.execute(SQL["follow_merges"])
        case events.GroupSplit():
            _split(connection, event)
        case _:
            assert_never(event)


def _decide(connection: duckdb.DuckDBPyConnection, event: events.GroupDecided) -> None:
    as_of = stored(event.as_of)
    until = stored(event.until) if event.until else None
    connection.execute(SQL["replace_decision"], [event.failure_group, as_of])
    connection.execute(
        SQL["insert_decision"],
        [event.failure_group, event.decision, as_of, until, event.note, event.by, stored(event.at)],
    )


def _split(connection: duckdb.DuckDBPyConnection, event: events.GroupSplit) -> None:
    """Moves what is stored; what comes later is moved by `Splits`."""
    new, members, text = event.split_group, list(event.members), event.text
    connection.execute(
        SQL["split_rules"], [members, text, new, event.failure_group, stored(event.at)]
    )
    connection.execute(SQL["split_description"], [new, members, text])
    connection.execute(SQL["split_failures"], [new, members, text])
    concerned = [*members, new]
    connection.execute(SQL["forget_tally"], [concerned])
    connection.execute(SQL["tally_anew"], [concerned])
