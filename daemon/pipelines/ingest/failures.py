"""What can go wrong while files load, and how DuckDB's own errors are understood.

TriagedError
├── IngestError           carries an `error_class`, which triage matches before any text
│   ├── FileFailure       one file could not be loaded; the others go on
│   │   └── NotReadable   it may not be read
│   ├── FolderError       the folder cannot be listed: the whole run fails
│   └── WarehouseError    the warehouse cannot be used: the whole run fails
└── LeftForLater          the next cycle takes the file
    ├── NotSettled        it changed meanwhile
    └── Interrupted       the run was cancelled while it loaded

Their messages name columns, rows and types, never a value from the file: those are the user's data.
"""

from __future__ import annotations

import errno
import re

import duckdb

from daemon.errors import TriagedError
from daemon.pipelines.ingest.facts import FileFacts

LOCKED = "WAREHOUSE_LOCKED"
"""Error class of a warehouse that its owner has open."""
_DISK_FULL = re.compile(
    r"no space left|disk quota|file too large|could not write|failed to write|max_temp_directory",
    re.IGNORECASE,
)
_DAMAGED_BLOCK = re.compile("corrupt database file", re.IGNORECASE)
_NO_DATABASE = re.compile("valid DuckDB database|read enough bytes from file", re.IGNORECASE)
_DAMAGED_ARCHIVE = re.compile(r"gzip|zstd|frame descriptor|decompress", re.IGNORECASE)
_JSON_PLACE = re.compile(r"Malformed JSON.*?at byte ([0-9]+) in record/value ([0-9]+)")
_OPEN_FILE = re.compile(r'(file )?"?/dev/fd/[0-9]+"?')
_KEY_VALUES = re.compile(r'(Duplicate key|duplicate key|key) "((?:[^"]|"")*)"')
_QUOTED_VALUE = re.compile(r"""(string|value|constant) (?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_HINTS = re.compile(r"\n|Possible (?:fixes|Solution)|Original Line")


class IngestError(TriagedError):
    """Files could not be ingested."""

    def __init__(self, message: str, error_class: str) -> None:
        self.error_class = error_class
        super().__init__(message)


class FileFailure(IngestError):
    """The file could not be loaded."""

    row: int | None = None
    """The row that was at fault, where one was."""
    column: str | None = None
    facts: FileFacts | None = None
    """The version of the file, where its rejected rows are kept."""


class FolderError(IngestError):
    """The ingestion's folder could not be listed."""


class NotReadable(FileFailure):
    """A file or folder may not be read."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"It may not be read: {error.strerror}.", "NOT_READABLE")


class WarehouseError(IngestError):
    """The warehouse could not be used."""


class LeftForLater(TriagedError):
    """The file is as good as not yet there."""


class NotSettled(LeftForLater):
    """The file is still being written."""


class Interrupted(LeftForLater):
    """The run was cancelled."""


def while_opening(error: duckdb.Error) -> WarehouseError:
    """Why the warehouse could not be opened."""
    text = str(error)
    if "lock on file" in text or "different configuration" in text:
        return WarehouseError(
            "The warehouse is in use by another program; files are loaded when that closes it.",
            LOCKED,
        )
    if _DISK_FULL.search(text):
        return _disk_full(text)
    damaged = _NO_DATABASE.search(text) or _DAMAGED_BLOCK.search(text)
    if damaged or isinstance(error, duckdb.SerializationException):
        return _damaged(text)
    return WarehouseError(
        f"The warehouse cannot be opened: {_brief(text)}", "WAREHOUSE_UNAVAILABLE"
    )


def broke_engine(error: duckdb.Error) -> bool:
    """Whether the open database refuses whatever comes after this error, and has to be opened anew."""
    return isinstance(error, duckdb.FatalException | duckdb.InternalException)


def while_loading(error: duckdb.Error) -> FileFailure | WarehouseError | Interrupted:
    """Whose fault an error during a load is: the file's, or the warehouse's.

    That the engine gave up says nothing against what is in the warehouse: whoever is told to go back
    to a backup for that loses what came since.
    """
    if isinstance(error, duckdb.InterruptException):
        return Interrupted()
    text = str(error)
    if _DISK_FULL.search(text):
        return _disk_full(text)
    if _DAMAGED_BLOCK.search(text) or broke_engine(error):
        return _broken_engine(error)
    if isinstance(error, duckdb.TransactionException):
        return WarehouseError(f"Another program's write: {_brief(text)}", "WAREHOUSE_CONFLICT")
    if isinstance(error, duckdb.IOException):
        return _while_reading(text)
    return _while_converting(error)


def _broken_engine(error: duckdb.Error) -> FileFailure | WarehouseError:
    """The first to meet it is at fault; who meets a damaged block, or is told only that work is refused, is not."""
    text = _brief(str(error))
    if _DAMAGED_BLOCK.search(text):
        return _damaged(text)
    if isinstance(error, duckdb.InternalException):
        return FileFailure(f"DuckDB failed while it loaded the file: {text}", "ENGINE")
    return WarehouseError(f"DuckDB stopped: {text}", "WAREHOUSE_STOPPED")


def _while_converting(error: duckdb.Error) -> FileFailure:
    text = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory()
    if isinstance(error, duckdb.ConstraintException):
        return FileFailure(_without_values(text), "CONSTRAINT")
    if "Maximum line size" in text:
        return FileFailure("A line is longer than 8 MB.", "LINE SIZE OVER MAXIMUM")
    if found := _JSON_PLACE.search(text):
        byte, record = int(found[1]), int(found[2]) - 1  # DuckDB counts the next one already
        return FileFailure(
            f"The JSON is broken at byte {byte:,} of record {record:,}.", "JSON_DOCUMENT"
        )
    kind = type(error).__name__.removesuffix("Exception").upper()
    return FileFailure(_without_values(text), kind)


def while_opening_input(error: OSError) -> OSError | NotReadable:
    """Why a file or folder of the ingestion could not be looked at."""
    return NotReadable(error) if isinstance(error, PermissionError) else error


def while_unpacking(error: duckdb.IOException) -> FileFailure | WarehouseError:
    """What cannot be unpacked is damaged, whatever the words, unless there is no room for it."""
    text = str(error)
    if _DISK_FULL.search(text):
        return _disk_full(text)
    return FileFailure(f"The compressed file is damaged: {_brief(text)}", "COMPRESSION")


def while_trying(error: duckdb.Error) -> FileFailure | Interrupted:
    """Why a Parquet file could not be read, apart from the warehouse."""
    if isinstance(error, duckdb.InterruptException):
        return Interrupted()
    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory()
    if "encrypt" in str(error).lower():
        return FileFailure("The Parquet file is encrypted.", "ENCRYPTED")
    return FileFailure(
        "The file cannot be read as Parquet: it is cut off or damaged.", "NOT_PARQUET"
    )


def _out_of_memory() -> FileFailure:
    return FileFailure("Loading the file needs more than `memory_limit`.", "OUT_OF_MEMORY")


def while_writing(error: OSError) -> OSError | WarehouseError:
    """A full disk under rejected rows or temporary files is no file's fault."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return _disk_full(error.strerror or "")
    return error


def _while_reading(text: str) -> FileFailure | WarehouseError:
    if _DAMAGED_ARCHIVE.search(text):
        return FileFailure("The compressed file is damaged or cut off.", "COMPRESSION")
    if _OPEN_FILE.search(text):
        return FileFailure(_brief(text), "READ")
    if _NO_DATABASE.search(text):
        return _damaged(text)
    return WarehouseError(f"The warehouse failed: {_brief(text)}", "WAREHOUSE_UNAVAILABLE")


def _damaged(text: str) -> WarehouseError:
    return WarehouseError(f"The warehouse is damaged: {_brief(text)}", "WAREHOUSE_CORRUPT")


def _disk_full(text: str) -> WarehouseError:
    return WarehouseError(
        f"The disk that holds the warehouse is full or refuses to write: {_brief(text)}",
        "WAREHOUSE_FULL",
    )


def _brief(text: str) -> str:
    """The first line, without DuckDB's hints and the name under which it read the file."""
    return _OPEN_FILE.sub("the file", _HINTS.split(text, maxsplit=1)[0].strip())


def _without_values(text: str) -> str:
    """The first line with the values of the file's cells left out."""
    named = _KEY_VALUES.sub(lambda match: match[1] + _key_columns(match[2]), text)
    return _brief(_QUOTED_VALUE.sub(r"\1", named))


def _key_columns(key: str) -> str:
    """`` in id, day`` of ``id: 1, day: 2024-01-01``; nothing of ``1``."""
    names = [part.split(":", 1)[0].strip() for part in key.split(", ") if ": " in part]
    return f" in {', '.join(names)}" if names else ""
