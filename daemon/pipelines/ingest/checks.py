"""Mistakes in the ingest configuration that its schema cannot see."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import duckdb

from daemon.errors import Problem
from daemon.pipelines.ingest import ledger
from daemon.pipelines.ingest.config import IngestConfig, IngestSource
from daemon.pipelines.ingest.csv_layout import ADDED_PREFIX
from daemon.pipelines.ingest.folder import glob_problem
from daemon.pipelines.ingest.load import FILE_ID
from daemon.pipelines.ingest.tables import type_problem


def problems_of(config: IngestConfig, base: Path) -> list[Problem]:
    """All mistakes, each with its place in the configuration, whose folder is `base`."""
    problems: list[Problem] = []
    if not config.sources:
        told = "has no sources, so nothing is read"
        problems.append(Problem("pipelines.ingest", told, harmless=True))
    with duckdb.connect(":memory:") as connection:
        for name, source in config.sources.items():
            where = f"pipelines.ingest.sources.{name}"
            problems += _of_source(where, source, base)
            problems += _of_timezone(connection, f"{where}.timezone", source.timezone)
            problems += _of_columns(connection, f"{where}.columns", source.columns or {})
    return problems + list(_disagreements(config))


def _of_source(where: str, source: IngestSource, base: Path) -> Iterator[Problem]:
    if problem := glob_problem(source.files):
        yield Problem(f"{where}.files", f"expected {problem}")
    elif (base / source.files).is_dir():
        glob = f"{source.files}/*"
        yield Problem(f"{where}.files", f"is a folder; expected a glob of files, such as {glob}")
    if source.table.lower() == ledger.TABLE:
        yield Problem(f"{where}.table", f"{ledger.TABLE} is the record of loaded files")
    if problem := _encoding_problem(source.encoding):
        yield Problem(f"{where}.encoding", problem)
    if not source.header and not source.columns:
        yield Problem(
            f"{where}.header", "needs `columns`, which name the cells of each row in order"
        )
    if source.decimal == source.thousands:
        yield Problem(f"{where}.thousands", "expected another character than `decimal`")
    if source.quote in (source.decimal, "\r", "\n"):
        yield Problem(f"{where}.quote", "expected a character that quotes cells")
    if source.delimiter in (source.quote, "\n", "\r"):
        yield Problem(f"{where}.delimiter", "expected a character that separates cells")


def _encoding_problem(name: str) -> str | None:
    try:
        b"  ".decode(name, "ignore")
        codecs.getincrementaldecoder(name)
    except LookupError:
        return "expected an encoding of text, such as utf-8, windows-1252, latin-1 or utf-16"
    return None


def _of_timezone(connection: duckdb.DuckDBPyConnection, where: str, name: str) -> Iterator[Problem]:
    if not connection.execute("FROM pg_timezone_names() WHERE name = ?", [name]).fetchall():
        yield Problem(where, "expected a time zone, such as Europe/Berlin or UTC")


def _of_columns(
    connection: duckdb.DuckDBPyConnection, where: str, columns: dict[str, str]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for name, type_ in columns.items():
        if name.lower() == FILE_ID or name.startswith(ADDED_PREFIX):
            yield Problem(f"{where}.{name}", "this name is reserved")
        if name.lower() in seen:
            yield Problem(f"{where}.{name}", "a table cannot have this column twice")
        seen.add(name.lower())
        if problem := type_problem(connection, type_):
            yield Problem(f"{where}.{name}", f"expected a DuckDB type: {problem}")


def _disagreements(config: IngestConfig) -> Iterator[Problem]:
    """Two ingestions may fill one table when they declare the same columns."""
    first: dict[str, tuple[str, IngestSource]] = {}
    for name, source in config.sources.items():
        other, earlier = first.setdefault(source.table.lower(), (name, source))
        if earlier.columns and source.columns and earlier.columns != source.columns:
            yield Problem(
                f"pipelines.ingest.sources.{name}.columns",
                f"table {source.table} has other columns in ingestion {other}",
            )
