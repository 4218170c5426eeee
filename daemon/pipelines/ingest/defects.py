"""The error classes of rejected rows, in words. Those of CSV are DuckDB's own reject types."""

from __future__ import annotations

MISFITS = ("CAST", "JSON_TYPE")
"""A value does not fit the type of its column, which the rejected row names."""

DEFECTS = {
    "JSON_SYNTAX": "not valid JSON",
    "JSON_NOT_OBJECT": "not a JSON object",
    "JSON_NO_COLUMN": "none of its keys is a column of the table",
    "JSON_TWIN_KEYS": "a column's key is there twice, or in two spellings",
    "NOT_CORRECTED": "sent in again as it was rejected (`_triaged_raw` says what the row was)",
    "TOO MANY COLUMNS": "more cells than the header has",
    "MISSING COLUMNS": "fewer cells than the header has",
    "UNQUOTED VALUE": "a quote that is not closed, or not doubled inside a quoted cell",
    "LINE SIZE OVER MAXIMUM": "longer than a row may be",
}
"""A row is no row at all."""
