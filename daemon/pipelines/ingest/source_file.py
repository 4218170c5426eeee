"""A file being loaded: held open, so that what is hashed is what is loaded."""

from __future__ import annotations

import codecs
import gzip
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import duckdb

from daemon.pipelines.ingest import lines, zstd
from daemon.pipelines.ingest.content import (
    CHUNK,
    Gunzipped,
    Hashing,
    TextFacts,
    check_text,
    content_hash,
    decoded,
)
from daemon.pipelines.ingest.facts import FileFacts
from daemon.pipelines.ingest.failures import FileFailure, NotSettled
from daemon.pipelines.ingest.formats import Encoding, Format
from daemon.pipelines.ingest.ports import ListedFile

_HEAD = 4096
"""Bytes in which an export of rejected rows has named its first column of its own, or not."""


def is_utf8(charset: str) -> bool:
    """Whether a name is one of UTF-8, with or without a byte order mark."""
    return codecs.lookup(charset).name in ("utf-8", "utf-8-sig", "ascii")


class SourceFile:
    """One open file and its version."""

    def __init__(self, listed: ListedFile, place: Path, file: BinaryIO) -> None:
        self.path = listed.path
        self.content_hash = ""
        self.known_hash: str | None = None
        """Of the version that was seen last."""
        self._listed = listed
        self._place = place
        self._file = file
        self._opened = os.fstat(file.fileno())
        self.text = TextFacts()
        """What `scan` found of its text."""
        self.is_foreign = False
        """Whether its text is in another encoding than UTF-8."""
        self.is_padded = False
        """Whether it is a gzip file with zeros after its end."""

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
            arrived=self.content_hash != self.known_hash,
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
        except (FileNotFoundError, NotADirectoryError):
            return
        if (there.st_dev, there.st_ino) != (self._opened.st_dev, self._opened.st_ino):
            raise NotSettled

    def scan(self, encoding: Encoding, charset: str) -> None:
        """Reads the file once: sets `content_hash`, raises `FileFailure` when it cannot load."""
        if encoding.format is Format.PARQUET or encoding.compression == "zstd":
            self.content_hash = content_hash(self._file)
            if encoding.compression == "zstd":
                zstd.check_frames(self._file)
            if not self._listed.size:
                raise _empty()
            if encoding.format is not Format.PARQUET and not is_utf8(charset):
                raise FileFailure(
                    "Zstandard is read as UTF-8 only; unpack the file, or pack it with gzip.",
                    "ZSTD_UNSUPPORTED",
                )
            return
        chunks = Hashing(self._file)
        unpacked = Gunzipped(chunks)
        try:
            text: Iterable[bytes] = unpacked if encoding.compression == "gzip" else chunks
            self.is_foreign = not is_utf8(charset) and not self._is_export(encoding)
            self.text = check_text(decoded(text, charset) if self.is_foreign else text)
            self.content_hash = chunks.hexdigest()
        except FileFailure:
            self.content_hash = content_hash(self._file)
            raise
        self.is_padded = unpacked.padded
        _refuse_blank(self.text)

    def _is_export(self, encoding: Encoding) -> bool:
        """Whether it begins as an export of rejected rows, which is UTF-8 whatever the ingestion's files are."""
        found = b"_triaged_path" in unpacked(self._file, encoding.compression).read(_HEAD)
        self._file.seek(0)
        return found


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


class ReadyText(NamedTuple):
    """A file as DuckDB can be trusted to read it."""

    file: BinaryIO
    encoding: Encoding
    longest_line: int
    """Bytes from one line feed to the next, at most; 0 of what is no text."""


@contextmanager
def ready(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    encoding: Encoding,
    folder: Path,
    charset: str,
) -> Iterator[ReadyText]:
    """The file to be read; what DuckDB cannot read as it is gets written out in `folder` first."""
    if encoding.format is Format.PARQUET:
        yield ReadyText(file.binary, encoding, 0)
    elif encoding.compression == "zstd":
        with tempfile.TemporaryFile(dir=folder) as text:
            zstd.unpack(connection, place_of(file.binary), place_of(text))
            text.seek(0)
            facts = check_text(Hashing(text))
            _refuse_blank(facts)
            yield ReadyText(text, Encoding(encoding.format, "none"), facts.longest_line)
    elif file.is_foreign:
        with tempfile.TemporaryFile(dir=folder) as text:
            source = unpacked(file.binary, encoding.compression)
            text.writelines(decoded(iter(lambda: source.read(CHUNK), b""), charset))
            text.flush()
            yield ReadyText(text, Encoding(encoding.format, "none"), file.text.longest_line)
    elif file.is_padded or (
        encoding.format is Format.JSONL and file.text.longest_line > lines.LONGEST
    ):
        with tempfile.TemporaryFile(dir=folder) as text:
            lines.copy(unpacked(file.binary, encoding.compression), text)
            yield ReadyText(text, Encoding(encoding.format, "none"), file.text.longest_line)
    else:
        yield ReadyText(file.binary, encoding, file.text.longest_line)


def unpacked(file: BinaryIO, compression: str) -> BinaryIO:
    """The bytes of a file from their start, of gzip those that are packed in it."""
    file.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if compression == "gzip" else file


def place_of(file: BinaryIO) -> str:
    """A name for the open file that DuckDB takes for no glob and no other file."""
    return f"/dev/fd/{file.fileno()}"


def _refuse_blank(facts: TextFacts) -> None:
    if facts.blank:
        raise _empty()


def _empty() -> FileFailure:
    return FileFailure("The file is empty.", "EMPTY_FILE")
