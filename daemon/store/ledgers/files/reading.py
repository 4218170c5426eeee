"""Reads the files that ingestions track."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from daemon.clock import Clock
from daemon.errors import NotFound
from daemon.pipelines.ingest.config import PIPELINE
from daemon.pipelines.ingest.known import KnownFile, pack
from daemon.store.database import Database
from daemon.store.ledgers.files import SQL
from daemon.store.ledgers.files.rows import FileRow
from daemon.store.records import select, stored, utc
from daemon.taxonomy import FileStatus


class FileFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which files of an ingestion. What is None does not restrict."""

    status: str | None = None
    category: str | None = None
    retryable: bool | None = None
    q: str | None = None
    """Text in the path, in any case."""


class FilePage(NamedTuple):
    """Some of the files that match, by path."""

    files: list[FileRow]
    next_cursor: str | None
    total: int


class FileCounts(msgspec.Struct, frozen=True):
    """An ingestion at a glance."""

    files: int
    success: int
    partial: int
    failed: int
    retrying: int
    quarantined: int
    ignored: int
    failed_count: int
    """Files that failed, whole or in part, and are not dealt with."""
    retryable_count: int
    last_failed_at: datetime | None
    top_category: str | None
    rows_loaded: int
    rows_rejected: int


NO_FILES = FileCounts(0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, 0, 0)
"""An ingestion that has not seen a file."""


class Files:
    """Queries over tracked files; also the ingest pipeline's `TrackedFiles`."""

    def __init__(self, database: Database, clock: Clock, pipeline: str = PIPELINE) -> None:
        self._reader = database.read()
        self._clock = clock
        self._pipeline = pipeline

    def known(self, source: str, wanted: frozenset[str] | None, version: str) -> bytes:
        """See `TrackedFiles.known`."""
        parameters = {
            "pipeline": self._pipeline,
            "source": source,
            "wanted": None if wanted is None else list(wanted),
            "now": stored(self._clock.now()),
            "version": version,
        }
        rows = self._reader.stream(SQL["known_files"], parameters)
        closed = self._reader.rows(SQL["closed_folders"], [self._pipeline, source])
        newest = self._reader.row(
            SQL["newest_arrival"], {"pipeline": self._pipeline, "source": source}
        )
        return pack(
            (KnownFile(*row) for row in rows),
            (path for (path,) in closed),
            utc(newest[0]) if newest else None,
        )

    def page(
        self, source: str, f: FileFilter, limit: int = 50, after: str | None = None
    ) -> FilePage:
        """Files by path, after the path `after`."""
        sql, parameters = self._where(source, f)
        found = self._reader.row(f"SELECT count(*) FROM files WHERE {sql}", parameters)
        if after is not None:
            sql += " AND path > ?"
            parameters.append(after)
        rows = self._reader.rows(
            f"SELECT {select(FileRow)} FROM files WHERE {sql} ORDER BY path LIMIT ?",
            [*parameters, limit + 1],
        )
        files = [_file(row) for row in rows[:limit]]
        return FilePage(
            files, files[-1].path if len(rows) > limit else None, found[0] if found else 0
        )

    def get(self, source: str, path: str) -> FileRow:
        """One tracked file. Raises `NotFound`."""
        row = self._reader.row(
            f"SELECT {select(FileRow)} FROM files WHERE pipeline = ? AND source = ? AND path = ?",
            [self._pipeline, source, path],
        )
        if row is None:
            raise NotFound("that path is not a file that this ingestion tracks")
        return _file(row)

    def paths(self, source: str, f: FileFilter | None = None) -> list[str]:
        """The paths of all files that match, or without a filter of all."""
        sql, parameters = self._where(source, f or FileFilter())
        rows = self._reader.rows(f"SELECT path FROM files WHERE {sql} ORDER BY path", parameters)
        return [path for (path,) in rows]

    def tracked(self, source: str, paths: Sequence[str]) -> set[str]:
        """Those of `paths` that the ingestion tracks."""
        return set(self.statuses(source, paths))

    def statuses(self, source: str, paths: Sequence[str]) -> dict[str, FileStatus]:
        """How those of `paths` stand that the ingestion tracks."""
        rows = self._reader.rows(SQL["tracked_files"], [self._pipeline, source, list(paths)])
        return {path: FileStatus(status) for path, status in rows}

    def badge(self, source: str) -> FileCounts:
        """The ingestion at a glance."""
        return self.badges(source).get(source, NO_FILES)

    def badges(self, source: str | None = None) -> dict[str, FileCounts]:
        """All ingestions that have files (or the one of that name), at a glance."""
        rows = self._reader.rows(SQL["file_badges"], {"pipeline": self._pipeline, "source": source})
        return {source: FileCounts(*map(utc, row)) for source, *row in rows}

    def rejects(self, source: str) -> list[tuple[str, str]]:
        """Paths with rejected rows, and the names of the files that hold those rows."""
        rows = self._reader.rows(SQL["rejects_of_files"], [self._pipeline, source])
        return [(path, name) for path, name in rows]

    def _where(self, source: str, f: FileFilter) -> tuple[str, list[Any]]:
        sql, parameters = "pipeline = ? AND source = ?", [self._pipeline, source]
        for column in ("status", "category", "retryable"):
            if getattr(f, column) is not None:
                sql += f" AND {column} = ?"
                parameters.append(getattr(f, column))
        if f.q:
            sql += " AND contains(lower(path), ?)"
            parameters.append(f.q.lower())
        return sql, parameters


def _file(row: tuple[Any, ...]) -> FileRow:
    return FileRow(*map(utc, row))
