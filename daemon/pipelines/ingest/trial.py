"""Files read on trial, apart from the warehouse.

Damage inside of a Parquet file can bring DuckDB to refuse all further work, so the warehouse is shown
none that was not read to its end before. A database in memory pays for it.
"""

from __future__ import annotations

import duckdb

from daemon.pipelines.ingest.failures import while_trying
from daemon.pipelines.ingest.sql import literal


class TrialReader:
    """A database of its own, made when it is first used."""

    def __init__(self, threads: int, memory_limit: int) -> None:
        """`memory_limit` is in bytes."""
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "threads": threads,
            "memory_limit": f"{memory_limit}B",
            "enable_external_file_cache": False,
        }
        self._connection: duckdb.DuckDBPyConnection | None = None

    def read_parquet(self, place: str) -> None:
        """Reads all values of a Parquet file; raises `FileFailure` or `Interrupted`."""
        if self._connection is None:
            self._connection = duckdb.connect(":memory:", config=self._config)
        try:
            self._connection.execute(
                f"SELECT bit_xor(hash(t)) FROM read_parquet({literal(place)}) AS t"
            ).fetchall()
        except duckdb.Error as error:
            self.close()
            raise while_trying(error) from None

    def interrupt(self) -> None:
        """Stops the reading that is under way. May be called from another thread."""
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def close(self) -> None:
        """Frees what reading holds; reading again opens it anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
