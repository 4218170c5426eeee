"""A file being loaded: held open, so that what is hashed is what is loaded."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb

from daemon.pipelines.ingest import zstd
from daemon.pipelines.ingest.content import Hashing, TextFacts, check_text, content_hash, gunzipped
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.failures import FileFailure, NotSettled
from daemon.pipelines.ingest.formats import Encoding, Format
from daemon.pipelines.ingest.ports import ListedFile


class SourceFile:
    """One open file and its version."""

    def __init__(self, listed: ListedFile, place: Path, file: BinaryIO) -> None:
        self.path = listed.path
        self.content_hash = ""
        self._listed = listed
        self._place = place
        self._file = file
        self._opened = os.fstat(file.fileno())

    @property
    def binary(self) -> BinaryIO:
        return self._file

    @property
    def facts(self) -> FileFacts:
        """The version of the file, with no rows yet."""
        return FileFacts(
            path=self.path,
            size=self._listed.size,
            mtime_ns=self._listed.mtime_ns,
            content_hash=self.content_hash,
        )

    def check_settled(self) -> None:
        """Raises `NotSettled` when the file is no longer what was listed.

        One that was moved away meanwhile has been read whole and counts as settled.
        """
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self._listed.size, self._listed.mtime_ns):
            raise NotSettled
        try:
            there = self._place.stat()
        except FileNotFoundError:
            return
        if (there.st_dev, there.st_ino) != (self._opened.st_dev, self._opened.st_ino):
            raise NotSettled

    def scan(self, encoding: Encoding) -> None:
        """Reads the file once: sets `content_hash`, raises `FileFailure` when it cannot load."""
        if encoding.format is Format.PARQUET or encoding.compression == "zstd":
            self.content_hash = content_hash(self._file)
            if encoding.compression == "zstd":
                zstd.check_frames(self._file)
            if not self._listed.size:
                raise _empty()
            return
        chunks = Hashing(self._file)
        try:
            facts = check_text(gunzipped(chunks) if encoding.compression == "gzip" else chunks)
            self.content_hash = chunks.hexdigest()
        except FileFailure:
            self.content_hash = content_hash(self._file)
            raise
        _refuse_blank(facts)


@contextmanager
def opened(listed: ListedFile, place: Path) -> Iterator[SourceFile]:
    """The open file; raises `NotSettled` when it is not what was listed, and OSError."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotSettled
        source_file = SourceFile(listed, place, file)
        source_file.check_settled()
        yield source_file


@contextmanager
def plain(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, encoding: Encoding, folder: Path
) -> Iterator[tuple[BinaryIO, Encoding]]:
    """The file as DuckDB can be trusted to read it: Zstandard is unpacked in `folder` first."""
    if encoding.compression != "zstd" or encoding.format is Format.PARQUET:
        yield file.binary, encoding
        return
    with tempfile.TemporaryFile(dir=folder) as text:
        zstd.unpack(connection, place_of(file.binary), place_of(text))
        text.seek(0)
        _refuse_blank(check_text(Hashing(text)))
        yield text, Encoding(encoding.format, "none")


def place_of(file: BinaryIO) -> str:
    """A name for the open file that DuckDB takes for no glob and no other file."""
    return f"/dev/fd/{file.fileno()}"


def _refuse_blank(facts: TextFacts) -> None:
    if facts.blank:
        raise _empty()


def _empty() -> FileFailure:
    return FileFailure("The file is empty.", "EMPTY_FILE")
