"""How a sender writes: cells of CSV, numbers and dates."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from daemon.pipelines.ingest.config import IngestSource
from daemon.pipelines.ingest.sql import literal

_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL\(.*\)")
_TIME = re.compile(r"DATE|TIMESTAMP.*")


class Notation(msgspec.Struct, frozen=True):
    """Notations of numbers and dates that are text."""

    decimal: str = "."
    thousands: str | None = None
    date_format: str | None = None

    @property
    def types(self) -> list[str]:
        """Types that values may turn out to be of which DuckDB takes for text."""
        numbers = ["BIGINT", "DOUBLE"] if self.thousands or self.decimal != "." else []
        return numbers + (["DATE", "TIMESTAMP"] if self.date_format else [])

    def read(self, value: str, type_: str) -> str:
        """SQL of the value as DuckDB writes it, for a column of a type; NULL where it is not so written."""
        if _NUMBER.fullmatch(type_):
            return self._number(value)
        if self.date_format and _TIME.fullmatch(type_):
            time = f"TRY_STRPTIME({value}, {literal(self.date_format)})"
            return f"coalesce(CASE WHEN year({time}) >= 1000 THEN {time}::VARCHAR END, {value})"
        return value

    def _number(self, value: str) -> str:
        if not self.thousands and self.decimal == ".":
            return value
        group, point = re.escape(self.thousands or ""), re.escape(self.decimal)
        digits = f"([0-9]{{1,3}}({group}[0-9]{{3}})+|[0-9]*)" if self.thousands else "[0-9]*"
        pattern = f" *[-+]?{digits}({point}[0-9]*)?([eE][-+]?[0-9]+)? *"
        plain = f"replace({value}, {literal(self.thousands)}, '')" if self.thousands else value
        plain = f"replace({plain}, {literal(self.decimal)}, '.')"
        return f"CASE WHEN regexp_full_match({value}, {literal(pattern)}) THEN {plain} END"


class Dialect(msgspec.Struct, frozen=True):
    """How cells and rows of CSV are written, but for the delimiter."""

    quote: str = '"'
    escape: str | None = None
    nulls: frozenset[str] = frozenset()
    skip: int = 0
    """Lines before the header, or before the first row where there is none."""
    names: tuple[str, ...] = ()
    """The columns where there is no header."""

    @property
    def options(self) -> dict[str, Any]:
        """Those of Python's reader."""
        doubled = self.escape in (None, self.quote)
        escape = None if doubled else self.escape
        return {"quotechar": self.quote, "doublequote": doubled, "escapechar": escape}


def notation_of(source: IngestSource) -> Notation:
    """The notations that an ingestion is configured to read."""
    return Notation(source.decimal, source.thousands, source.date_format)


def dialect_of(source: IngestSource) -> Dialect:
    """The CSV that an ingestion is configured to read."""
    names = () if source.header else tuple(source.columns or ())
    return Dialect(source.quote, source.escape, frozenset(source.null), source.skip, names)
