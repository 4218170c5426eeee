"""Zstandard files, made plain text before they load.

DuckDB reads a truncated file as if it were complete. The frame structure (RFC 8878, section 3.1)
says where it must end without decompressing anything; checksums are DuckDB's to verify.
"""

from __future__ import annotations

import os
from typing import BinaryIO

import duckdb

from daemon.pipelines.ingest.failures import FileFailure, while_unpacking
from daemon.pipelines.ingest.lines import NO_DELIMITER, lines_of
from daemon.pipelines.ingest.sql import literal

_FRAME = 0xFD2FB528
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_LARGEST_WINDOW = 17
"""As a window descriptor counts: 128 MB, the most that is unpacked without being told to."""
_RAW_BLOCK, _RLE_BLOCK, _COMPRESSED_BLOCK = range(3)


def check_frames(file: BinaryIO) -> None:
    """Follows the frames to the file's end; raises `FileFailure` where it stops short."""
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    while file.tell() < size:
        magic = _number(file, 4)
        if magic in _SKIPPABLE:
            _skip(file, _number(file, 4), size)
        elif magic == _FRAME:
            _follow_frame(file, size)
        else:
            raise FileFailure("The file is not in the Zstandard format.", "COMPRESSION")


def unpack(connection: duckdb.DuckDBPyConnection, place: str, into: str) -> None:
    """Writes the text at `place` to `into`, line by line, each ended by a line feed.

    Raises `FileFailure` when it cannot be unpacked.
    """
    try:
        connection.execute(
            f"""COPY ({lines_of(place, "zstd")}) TO {literal(into)} (FORMAT csv, HEADER false,
                DELIMITER {literal(NO_DELIMITER)}, QUOTE '', ESCAPE '', NULLSTR '',
                USE_TMP_FILE false)"""
        )
    except duckdb.IOException as error:
        raise while_unpacking(error) from None


def _follow_frame(file: BinaryIO, size: int) -> None:
    descriptor = _number(file, 1)
    single_segment = descriptor & 0x20
    content_size_bytes = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    if not single_segment and _number(file, 1) >> 3 > _LARGEST_WINDOW:
        raise FileFailure(
            "The Zstandard file needs a window of more than 128 MB (--long).", "ZSTD_UNSUPPORTED"
        )
    if dictionary_bytes and _number(file, dictionary_bytes):
        raise FileFailure("The Zstandard file needs a dictionary.", "ZSTD_UNSUPPORTED")
    _skip(file, content_size_bytes, size)
    last = False
    while not last:
        header = _number(file, 3)
        last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
        if kind not in (_RAW_BLOCK, _RLE_BLOCK, _COMPRESSED_BLOCK):
            raise FileFailure("The Zstandard file is damaged.", "COMPRESSION")
        _skip(file, 1 if kind == _RLE_BLOCK else length, size)
    if descriptor & 4:
        _skip(file, 4, size)


def _number(file: BinaryIO, length: int) -> int:
    data = file.read(length)
    if len(data) < length:
        raise _cut_off()
    return int.from_bytes(data, "little")


def _skip(file: BinaryIO, length: int, size: int) -> None:
    if file.seek(length, os.SEEK_CUR) > size:
        raise _cut_off()


def _cut_off() -> FileFailure:
    return FileFailure("The Zstandard file is cut off before its end.", "COMPRESSION")
