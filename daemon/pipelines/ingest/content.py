"""One pass over a file's bytes: its hash, and whether they are complete, UTF-8 text at all.

DuckDB loads half of a truncated archive without a word and stops at the first wrong byte of a text,
so both are looked for beforehand, at several hundred MB a second.
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import BinaryIO

import msgspec

from daemon.pipelines.ingest.failures import FileFailure

CHUNK = 1 << 20
"""Bytes read at a time."""
_BOMS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class TextFacts(msgspec.Struct):
    """What a pass over the text found."""

    blank: bool = True
    """Whether it is nothing but white space."""
    size: int = 0
    """Bytes of it."""
    longest_line: int = 0
    """Bytes from one line feed to the next, at most."""
    unended: int = 0
    """Bytes after the last line feed so far."""

    def add(self, chunk: bytes) -> None:
        """Counts the next bytes."""
        self.blank = self.blank and not chunk.removeprefix(codecs.BOM_UTF8).strip()
        self.size += len(chunk)
        first, last = chunk.find(b"\n"), chunk.rfind(b"\n")
        self.longest_line = max(
            self.longest_line, self.unended + (first if last >= 0 else len(chunk))
        )
        self.unended = len(chunk) - last - 1 if last >= 0 else self.unended + len(chunk)


class Gunzipped:
    """The text of a gzip file, one member or more, with or without zeros after the last one.

    Reading it raises `FileFailure` when it is not whole.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.padded = False
        """Whether zeros were found, as tapes and block devices leave them. DuckDB takes them for damage."""

    def __iter__(self) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        started = False
        for data in self._chunks:
            rest = self._without_padding(data) if member.eof else data
            while rest:
                if member.eof:
                    member = zlib.decompressobj(wbits=31)
                started = True
                yield _decompress(member, rest)
                while member.unconsumed_tail:
                    yield _decompress(member, member.unconsumed_tail)
                rest = self._without_padding(member.unused_data)
        if started and not member.eof:
            raise FileFailure("The gzip file is cut off before its end.", "COMPRESSION")

    def _without_padding(self, rest: bytes) -> bytes:
        found = rest.lstrip(b"\0")
        self.padded = self.padded or len(found) < len(rest)
        return found


class Hashing:
    """Passes chunks of a file on and hashes them meanwhile."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.blake2b(digest_size=16)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            self._hash.update(chunk)
            yield chunk

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def content_hash(file: BinaryIO) -> str:
    """BLAKE2b of the bytes, 32 hex digits."""
    chunks = Hashing(file)
    for _ in chunks:
        pass
    return chunks.hexdigest()


def _decompress(member: zlib._Decompress, chunk: bytes) -> bytes:
    try:
        return member.decompress(chunk, CHUNK)
    except zlib.error as error:
        raise FileFailure(f"The gzip file is damaged: {error}", "COMPRESSION") from None


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Text of another encoding as UTF-8; raises `FileFailure` at the first byte that is none of it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    for chunk in chain(chunks, [b""]):
        try:
            yield decoder.decode(chunk, final=not chunk).encode()
        except UnicodeError as error:
            if isinstance(
                error, UnicodeDecodeError
            ):  # which counts from what was left of the chunk before
                at += len(chunk) - len(error.object) + error.start
            raise FileFailure(
                f"The file is not {encoding}: from byte {at:,} on it is not text of it.",
                "ENCODING",
            ) from None
        at += len(chunk)


def check_text(chunks: Iterable[bytes]) -> TextFacts:
    """Reads text to its end; raises `FileFailure` naming the first byte that is not UTF-8."""
    facts = TextFacts()
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        if not facts.size:
            _refuse_utf16(chunk)
        _decode(decoder, chunk, facts.size)
        facts.add(chunk)
    _decode(decoder, b"", facts.size, final=True)
    return facts


def _decode(
    decoder: codecs.IncrementalDecoder, chunk: bytes, offset: int, *, final: bool = False
) -> None:
    pending = len(decoder.getstate()[0])
    if chunk.isascii() and not pending:
        return
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError as error:
        at = offset - pending + error.start
        raise FileFailure(
            f"The file is not UTF-8: byte {at:,} (0x{error.object[error.start]:02x}) is not text."
            " It looks like Latin-1 or Windows-1252; save it as UTF-8, or set `encoding`.",
            "ENCODING",
        ) from None


def _refuse_utf16(chunk: bytes) -> None:
    head = chunk[:1024]
    if head[:2] in _BOMS or head.count(0) * 4 > len(head):
        raise FileFailure(
            "The file is not UTF-8: byte 0 and those after it look like UTF-16; save it"
            " as UTF-8, or set `encoding`.",
            "ENCODING",
        )
