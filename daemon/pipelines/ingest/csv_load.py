"""CSV files at DuckDB's own speed. What it cannot tell exactly is left to the careful reader."""

from __future__ import annotations

import secrets

import duckdb

from daemon.pipelines.ingest.conversion import TargetColumn
from daemon.pipelines.ingest.csv_rows import LONGEST_LINE
from daemon.pipelines.ingest.exactness import exact
from daemon.pipelines.ingest.failures import FileFailure
from daemon.pipelines.ingest.load import Contents, Load, NeedsCare
from daemon.pipelines.ingest.memory import TooMuchMemory, bounded
from daemon.pipelines.ingest.notation import Dialect, Notation
from daemon.pipelines.ingest.sql import identifier, literal
from daemon.pipelines.ingest.types import is_nested

_BUFFER = 4 * LONGEST_LINE
"""Bytes read at a time. Between two of these DuckDB notices that it is to stop."""


def suits(contents: Contents) -> bool:
    """Whether DuckDB's reader can be used and is the faster way.

    It leaves out a last line that is too long and has no line feed (1.5 and 2.0), without a word.
    """
    layout = contents.layout
    if (
        layout.dialect != Dialect()
        or layout.was_exported
        or layout.first_row > 1
        or contents.longest_line > LONGEST_LINE
    ):
        return False
    return not contents.is_small


def load_csv(load: Load, contents: Contents, allowance: int) -> None:
    """Loads a CSV file that `suits`; raises `NeedsCare` when it must be read again row by row.

    `allowance` is the memory in bytes that DuckDB may use.
    """
    if load.notation != Notation() or any(is_nested(column.type) for column in load.columns):
        raise NeedsCare
    positions = contents.layout.positions([column.name for column in load.columns])
    columns = dict(zip(positions, load.columns, strict=True))
    rejects, scans = (f"triaged_{kind}_{secrets.token_hex(8)}" for kind in ("rejects", "scans"))
    selected = ", ".join(f"c{at}" for at in positions)
    try:
        with bounded(load.connection, allowance):
            load.insert(f"SELECT {selected} FROM {_typed(contents, columns, rejects, scans)}")
            _check_faults(load, rejects)
            load.reject(_rejected(rejects, columns))
            _check_values(load, contents, columns)
    except (TooMuchMemory, duckdb.InvalidInputException):
        raise NeedsCare from None
    load.connection.execute(f"DROP TABLE {identifier(rejects)}; DROP TABLE {identifier(scans)}")


def _typed(contents: Contents, columns: dict[int, TargetColumn], rejects: str, scans: str) -> str:
    """The rows whose values fit their types; the others are put in a table named `rejects`."""
    # parallel = false: where the rows at which a second thread begins are bad, DuckDB (1.5 and 2.0)
    # takes none of them for the start of a row and silently leaves out all that this thread should
    # read, good rows too.
    return _reading(
        contents,
        {at: column.type for at, column in columns.items()},
        f""", parallel = false, store_rejects = true, rejects_limit = 0,
            rejects_line_size_limit = {LONGEST_LINE},
            rejects_table = {literal(rejects)}, rejects_scan = {literal(scans)}""",
    )


def _reading(contents: Contents, types: dict[int, str], options: str) -> str:
    """The table function; columns without a type are text."""
    layout = contents.layout
    columns = ", ".join(
        f"'c{at}': {literal(types.get(at, 'VARCHAR'))}" for at in range(len(layout.header))
    )
    return f"""read_csv({literal(contents.place)}, auto_detect = false, header = true,
        delim = {literal(layout.delimiter)}, quote = '"', escape = '"', columns = {{{columns}}},
        compression = {literal(contents.encoding.compression)}, max_line_size = {LONGEST_LINE},
        buffer_size = {_BUFFER}{options})"""


def _check_faults(load: Load, rejects: str) -> None:
    """An open quote swallows the rows after it: only reading row by row tells where it ends."""
    found = load.connection.execute(
        f"SELECT DISTINCT error_type FROM {identifier(rejects)} WHERE error_type <> 'CAST'"
    ).fetchall()
    if ("INVALID ENCODING",) in found:
        raise FileFailure("The file is not UTF-8.", "ENCODING")
    if found:
        raise NeedsCare


def _check_values(load: Load, contents: Contents, columns: dict[int, TargetColumn]) -> None:
    """Reads the file again as text, which shows what the first reading keeps to itself.

    DuckDB rounds values to their column, refuses some that a cast takes, and not in parallel it
    leaves out a last row with an open quote. In parallel it fails on that row, and all others were
    found to be rows.
    """
    typed = {at: column.type for at, column in columns.items() if column.type != "VARCHAR"}
    casts = "".join(f", TRY_CAST(c{at} AS {type_}) AS v{at}" for at, type_ in typed.items())
    fitting = [f"(c{at} IS NULL OR v{at} IS NOT NULL)" for at in typed]
    unchanged = [
        f"(v{at} IS NULL OR {check})"
        for at, type_ in typed.items()
        if (check := exact(f"c{at}", f"v{at}", type_))
    ]
    found = load.connection.execute(
        f"""SELECT count(*), count(*) FILTER (WHERE {" AND ".join(["true", *fitting])}),
                count(*) FILTER (WHERE {" AND ".join(["true", *unchanged])})
            FROM (SELECT *{casts} FROM {_reading(contents, {}, "")})"""
    ).fetchone()
    rows = load.rows_loaded + load.rows_rejected
    if found != (rows, load.rows_loaded, rows):
        raise NeedsCare


def _rejected(rejects: str, columns: dict[int, TargetColumn]) -> str:
    """One row for each rejected row of the file, by its first error."""
    names = " ".join(f"WHEN {at + 1} THEN {literal(c.name)}" for at, c in columns.items())
    return f"""
        SELECT DISTINCT ON (line) line,
            CASE WHEN error_type = 'CAST' THEN CASE column_idx {names} END END,
            error_type,
            CASE WHEN error_type = 'CAST' THEN regexp_replace(split_part(error_message, chr(10), 1),
                '^Error when converting column "c[0-9]+"\\. ', '') END,
            trim(csv_line, chr(13) || chr(10))
        FROM {identifier(rejects)} ORDER BY line, column_idx"""
