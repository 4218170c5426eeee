"""Which format and compression a file has, by configuration and by name."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.failures import FileFailure


class Format(StrEnum):
    """How the rows are written."""

    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"


class Encoding(NamedTuple):
    """A format and how it is compressed: ``none``, ``gzip`` or ``zstd``."""

    format: Format
    compression: str


_SUFFIXES = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
    ".parquet": Format.PARQUET,
    ".pq": Format.PARQUET,
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def encoding_of(path: str, source: IngestSource) -> Encoding:
    """Format and compression of a file; raises `FileFailure` when its name tells neither."""
    stem, compression = _split_compression(path.lower())
    if source.format != "auto":
        return Encoding(Format(source.format), compression)
    for suffix, form in _SUFFIXES.items():
        if stem.endswith(suffix):
            return Encoding(form, compression)
    raise FileFailure(
        "The file's name does not tell its format. Set `format` for this ingestion.",
        "UNKNOWN_FORMAT",
    )


def _split_compression(name: str) -> tuple[str, str]:
    for suffix, compression in _COMPRESSIONS.items():
        if name.endswith(suffix):
            return name.removesuffix(suffix), compression
    return name, "none"
