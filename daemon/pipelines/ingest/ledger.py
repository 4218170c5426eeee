"""The record of loaded files that stands beside the data, written in the same transaction.

It decides whether a file's rows are in the warehouse; the store follows it. After a crash between
the warehouse's commit and the store's, the ledger knows what the store has yet to learn; and when
the warehouse is lost, or an older one put back, what the store knows and the ledger does not is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import duckdb
import msgspec

from daemon.pipelines.ingest.facts import FileFacts

TABLE = "triaged_files"


class LoadedVersion(msgspec.Struct, frozen=True):
    """The version of a file whose rows are in the warehouse."""

    file_id: int
    source: str
    path: str
    place: str | None
    """See `InputFolder.place`; None where an older version of triaged loaded it."""
    content_hash: str
    table_name: str
    rows_loaded: int
    rows_rejected: int
    run_id: str

    def fills(self, table: str) -> bool:
        """Whether its rows are in that table."""
        return self.table_name.lower() == table.lower()


_FIELDS = ", ".join(LoadedVersion.__struct_fields__)


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the ledger where the warehouse has none yet."""
    connection.execute(
        f"""
        CREATE SEQUENCE IF NOT EXISTS triaged_file_ids;
        CREATE TABLE IF NOT EXISTS {TABLE} (
            file_id BIGINT, source VARCHAR, path VARCHAR, content_hash VARCHAR, size BIGINT,
            mtime_ns BIGINT, table_name VARCHAR, rows_loaded BIGINT, rows_rejected BIGINT,
            run_id VARCHAR, loaded_at TIMESTAMP);
        ALTER TABLE {TABLE} ADD COLUMN IF NOT EXISTS place VARCHAR"""
    )


class LoadedFiles:
    """What the warehouse holds of the files that a source has now.

    A statement costs more than a small file, so the entries of many files are read at once. Only
    one run at a time works on a source: what was read stays true until that run records another.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: str) -> None:
        self._connection = connection
        self._source = source
        self._by_path: dict[str, list[LoadedVersion]] = {}
        self._by_place: dict[str, list[LoadedVersion]] = {}
        self._new_file_ids: list[int] = []

    def look_up(self, places: Mapping[str, str]) -> None:
        """Reads what is loaded of files, given by path with their places, and of others there."""
        rows = self._connection.execute(
            f"""SELECT {_FIELDS} FROM {TABLE}
                WHERE (source = $source AND path IN (SELECT unnest($paths::VARCHAR[])))
                    OR place IN (SELECT unnest($places::VARCHAR[])) ORDER BY file_id""",
            {"source": self._source, "paths": list(places), "places": list(places.values())},
        ).fetchall()
        self._by_path, self._by_place = {}, {}
        for row in rows:
            entry = LoadedVersion(*row)
            if entry.source == self._source:
                self._by_path.setdefault(entry.path, []).append(entry)
            if entry.place is not None:
                self._by_place.setdefault(entry.place, []).append(entry)

    def of_name(self, path: str) -> Sequence[LoadedVersion]:
        """Entries of this source under that path, wherever its folder was then."""
        return self._by_path.get(path, ())

    def of_place(self, place: str) -> Sequence[LoadedVersion]:
        """Entries of any source for the file there."""
        return self._by_place.get(place, ())

    def new_file_id(self) -> int:
        """A number that no file has had."""
        if not self._new_file_ids:
            rows = self._connection.execute(
                "SELECT nextval('triaged_file_ids') FROM range(1000)"
            ).fetchall()
            self._new_file_ids = [file_id for (file_id,) in reversed(rows)]
        return self._new_file_ids.pop()

    def record(
        self,
        table: str,
        versions: Sequence[tuple[int, str, FileFacts]],
        run_id: str,
        at: datetime,
    ) -> None:
        """Replaces what the ledger says of files, each given by its number, its place and what was loaded."""
        ids, places, facts = ([*values] for values in zip(*versions, strict=True))
        self._connection.execute(
            f"DELETE FROM {TABLE} WHERE file_id IN (SELECT unnest(?::BIGINT[]))", [ids]
        )
        self._connection.execute(
            f"""INSERT INTO {TABLE} (file_id, source, path, place, content_hash, size, mtime_ns,
                table_name, rows_loaded, rows_rejected, run_id, loaded_at)
                SELECT unnest($ids::BIGINT[]), $source, unnest($paths::VARCHAR[]),
                    unnest($places::VARCHAR[]), unnest($hashes::VARCHAR[]), unnest($sizes::BIGINT[]),
                    unnest($times::BIGINT[]), $table, unnest($loaded::BIGINT[]),
                    unnest($rejected::BIGINT[]), $run_id, $at""",
            {
                "ids": ids,
                "source": self._source,
                "paths": [each.path for each in facts],
                "places": places,
                "hashes": [each.content_hash for each in facts],
                "sizes": [each.size for each in facts],
                "times": [each.mtime_ns for each in facts],
                "table": table,
                "loaded": [each.rows_loaded for each in facts],
                "rejected": [each.rows_rejected for each in facts],
                "run_id": run_id,
                "at": at.astimezone(UTC).replace(tzinfo=None),
            },
        )

    def adopt(self, found: Sequence[tuple[int, str, str]]) -> None:
        """Lets files, by number with path and place, be this source's from now on."""
        ids, paths, places = ([*values] for values in zip(*found, strict=True))
        self._connection.execute(
            f"""UPDATE {TABLE} SET source = $source, path = found.path, place = found.place
                FROM (SELECT unnest($ids::BIGINT[]) AS id, unnest($paths::VARCHAR[]) AS path,
                    unnest($places::VARCHAR[]) AS place) AS found WHERE file_id = found.id""",
            {"source": self._source, "ids": ids, "paths": paths, "places": places},
        )

    def rejected_files(self) -> list[tuple[str, str]]:
        """Path and content hash of the files that were loaded with rejected rows."""
        rows = self._connection.execute(
            f"SELECT path, content_hash FROM {TABLE} WHERE source = ? AND rows_rejected > 0",
            [self._source],
        ).fetchall()
        return [(path, content_hash) for path, content_hash in rows]
