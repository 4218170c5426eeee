"""Which entry of the ledger stands for a file, also when its ingestion has another name, folder or table now.

A file is known by its place. One that is not known there is known by its ingestion and path, if the
ingestion's folder moved and the file with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.folder import InputFolder
from daemon.pipelines.ingest.ledger import LoadedFiles, LoadedVersion


class Ingestions:
    """All ingestions of a configuration, as far as they tell whose a file is."""

    def __init__(self, base: Path, sources: Mapping[str, IngestSource]) -> None:
        self._base = base
        self._sources = {
            name: (source.table, InputFolder(base, source.files))
            for name, source in sources.items()
            if source.enabled
        }

    def have(self, entry: LoadedVersion) -> bool:
        """Whether the ingestion that loaded a file still does."""
        table, folder = self._sources.get(entry.source, (None, None))
        return (
            table is not None
            and folder is not None
            and entry.place is not None
            and entry.fills(table)
            and folder.covers(entry.place)
        )

    def is_there(self, place: str) -> bool:
        """Whether there still is a file at that place."""
        return (self._base / place).is_file()


class FileIdentity(msgspec.Struct, frozen=True):
    """What the ledger knows of one file."""

    entry: LoadedVersion | None
    """Whose number the file keeps."""
    file_ids: frozenset[int]
    """All numbers that rows of it may have in the table."""


class Identification:
    """Finds the entries of one source's files."""

    def __init__(
        self, ledger: LoadedFiles, ingestions: Ingestions, source: str, table: str
    ) -> None:
        self._ledger = ledger
        self._ingestions = ingestions
        self._source = source
        self._table = table

    def identify(self, path: str, place: str, content_hash: str) -> FileIdentity:
        """The entries of a file with that content.

        Raises `FileFailure` where loading it might double rows, or replace those of another file.
        """
        entries = [*self._there(place), *self._moved(path, place, content_hash)]
        own = [entry for entry in entries if self._is_free(entry)]
        own.sort(key=lambda e: (e.source != self._source, not e.fills(self._table)))
        taken = [e for e in entries if e.fills(self._table) and e not in own]
        if taken and not (own and own[0].fills(self._table)):
            raise FileFailure(
                f"Ingestion {taken[0].source} loads this file into table {self._table} already.",
                "LOADED_TWICE",
            )
        ids = frozenset(e.file_id for e in entries if e not in taken)
        return FileIdentity(own[0] if own else None, ids)

    def _is_free(self, entry: LoadedVersion) -> bool:
        return entry.source == self._source or not self._ingestions.have(entry)

    def _there(self, place: str) -> Iterator[LoadedVersion]:
        yield from self._ledger.of_place(place)

    def _moved(self, path: str, place: str, content_hash: str) -> Iterator[LoadedVersion]:
        """Entries of the source's files of that name in a folder that it had before."""
        for entry in self._ledger.of_name(path):
            if entry.place == place or self._ingestions.have(entry):
                continue
            moved = entry.place is None or not self._ingestions.is_there(entry.place)
            if moved or entry.content_hash == content_hash:
                yield entry
            elif entry.fills(self._table):
                raise FileFailure(
                    f"The ingestion loaded another file of that name at {entry.place}.",
                    "OTHER_FOLDER",
                )
