"""Where rejected rows are kept: one Parquet file for each loaded file that has any.

Its columns are path, row_number, column_name, error_class, cause, reason and raw; its key-value
metadata says how `raw` is laid out (format, delimiter, header). It is complete on disk before the
warehouse commits the good rows, and the file of an earlier version goes away after that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import duckdb
import msgspec

from daemon.durable import make_private_folder, sync_folder, sync_path
from daemon.pipelines.ingest.defects import DEFECTS
from daemon.pipelines.ingest.load import REJECTED
from daemon.pipelines.ingest.sql import literal, one_path

_SUFFIX = ".parquet"
_UNLOADED = ".unloaded.parquet"
"""Ends the names of those of which nothing is loaded: no warehouse has to agree with them."""
_UNFINISHED = ".tmp"
_SAMPLES = 10


class RawLayout(msgspec.Struct, frozen=True):
    """How the raw text of rejected rows is laid out."""

    format: str
    header: tuple[str, ...]
    """Original columns; for JSON the columns of the ingestion."""
    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None


class Cause(msgspec.Struct, frozen=True):
    """Rejected rows of one file that share class and column."""

    error_class: str
    column: str | None
    row_count: int
    sample_rows: tuple[int, ...]
    """The first row numbers."""


class Rejects:
    """The rejects folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def name(self, source: str, path: str, content_hash: str, *, loaded: bool = True) -> str:
        """Name, below the folder, for one version of a file; one that is not loaded has another."""
        return f"{source}/{_path_key(path)}-{content_hash}{_SUFFIX if loaded else _UNLOADED}"

    def place(self, name: str) -> Path:
        return self.root / name

    @contextmanager
    def writing(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        path: str,
        layout: RawLayout,
        most: int | None = None,
    ) -> Iterator[None]:
        """Writes the rejected rows of the open load, or the first of them, as many as `most`.

        Takes them back when the block fails.
        """
        place = self.place(name)
        existed = place.exists()
        self._write(connection, place, path, layout, most)
        try:
            yield
        except BaseException:
            if not existed:
                place.unlink(missing_ok=True)
            raise

    def remove(self, name: str) -> None:
        """Removes the rejected rows of a version that another has replaced."""
        self.place(name).unlink(missing_ok=True)

    def keep_only(self, source: str, versions: Iterable[tuple[str, str]]) -> None:
        """Removes what no loaded version (path, content hash) refers to: leavings of a crash."""
        kept = {Path(self.name(source, path, version)).name for path, version in versions}
        for place in (self.root / source).glob("*"):
            if place.name not in kept and not place.name.endswith(_UNLOADED):
                place.unlink(missing_ok=True)

    def unloaded(self, source: str) -> dict[str, list[str]]:
        """The names of those that are not loaded, by the path's part in them."""
        found: dict[str, list[str]] = {}
        for name in self.names(source):
            if name.endswith(_UNLOADED):
                found.setdefault(name.rpartition("-")[0], []).append(name)
        return found

    def remove_unfinished(self) -> None:
        """Removes files whose writing was cut short. Call it before any run starts."""
        for place in self.root.glob(f"*/*{_UNFINISHED}"):
            place.unlink(missing_ok=True)

    def names(self, source: str, path: str | None = None) -> list[str]:
        """The files of a source in a stable order, optionally those of one path."""
        prefix = f"{_path_key(path)}-" if path is not None else ""
        folder = self.root / source
        if not folder.is_dir():
            return []
        found = (e.name for e in os.scandir(folder) if e.name.endswith(_SUFFIX))
        return [f"{source}/{name}" for name in sorted(found) if name.startswith(prefix)]

    def causes(self, connection: duckdb.DuckDBPyConnection, name: str) -> list[Cause]:
        """The causes in a file, most rows first."""
        return causes_in(connection, f"read_parquet({literal(one_path(str(self.place(name))))})")

    def _write(
        self,
        connection: duckdb.DuckDBPyConnection,
        place: Path,
        path: str,
        layout: RawLayout,
        most: int | None,
    ) -> None:
        make_private_folder(place.parent)
        unfinished = place.with_name(place.name + _UNFINISHED)
        metadata = literal(msgspec.json.encode(layout).decode())
        connection.execute(
            f"""COPY (SELECT {literal(path)} AS path, row_number, column_name, error_class,
                    {CAUSE} AS cause, {_REASON} AS reason, raw FROM {REJECTED} ORDER BY row_number
                    {"" if most is None else f"LIMIT {most}"})
                TO {literal(str(unfinished))} (FORMAT parquet, COMPRESSION zstd,
                    ROW_GROUP_SIZE 20480, KV_METADATA {{triaged: {metadata}}})"""
        )
        sync_path(unfinished)
        unfinished.replace(place)
        sync_folder(place.parent)


_REASON = "coalesce(reason, CASE error_class {} END)".format(
    " ".join(f"WHEN {literal(name)} THEN {literal(text)}" for name, text in DEFECTS.items())
)
"""SQL of a row's reason: what its reader said, or what its class says of itself."""

CAUSE = "error_class || coalesce(':' || column_name, '')"
"""SQL of the short key that rows of one class and column share."""


def causes_in(connection: duckdb.DuckDBPyConnection, rows: str) -> list[Cause]:
    """The causes among rejected rows, most rows first."""
    found: Sequence[tuple[str, str | None, int, list[int]]] = connection.execute(
        f"""SELECT error_class, column_name, count(*) AS n, min(row_number, {_SAMPLES})
            FROM {rows} GROUP BY ALL ORDER BY n DESC, error_class, column_name"""
    ).fetchall()
    return [Cause(name, column, n, tuple(sorted(rows))) for name, column, n, rows in found]


def _path_key(path: str) -> str:
    return blake2b(path.encode(), digest_size=8).hexdigest()
