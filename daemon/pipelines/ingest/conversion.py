"""Rows of text made into rows of types: one SQL shape for every format.

A relation gives for each row `raw` (its text), `defect` (why it is no row at all, else NULL) and
its values `v0`, `v1`, … Of these, `good_rows` selects the converted values of rows in which every
value fits its column, `bad_rows` the others with column, class and reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from daemon.pipelines.ingest.exactness import exact
from daemon.pipelines.ingest.nested import nested_text
from daemon.pipelines.ingest.notation import Notation
from daemon.pipelines.ingest.sql import literal, texts
from daemon.pipelines.ingest.types import is_nested

NUMBERED = "row_number() OVER ()"
"""Numbers rows as they are read."""


class TargetColumn(msgspec.Struct, frozen=True):
    """A column that the rows go to."""

    name: str
    type: str
    """DuckDB type, as the table shows it."""


class Conversion(msgspec.Struct, frozen=True):
    """What is to become of a relation's rows."""

    relation: str
    """SELECT of `raw`, `defect`, the values and whatever `row_number` needs."""
    columns: Sequence[TargetColumn]
    row_number: str = NUMBERED
    """SQL of a row's number."""
    misfit: str = "CAST"
    """Error class of a value that does not fit its column."""
    doubtful: bool = True
    """Whether a cast may change a value. Planning the checks costs more than a small file."""
    notation: Notation = Notation()
    """How numbers and dates are written in values that are text."""
    given: Sequence[str] = ()
    """Types of the values, where they are not text."""

    def good_rows(self) -> str:
        """SELECT of the columns, in order, of the rows without fault."""
        values = ", ".join(f"c{at}" for at in range(len(self.columns)))
        conditions = " AND ".join(
            ["defect IS NULL", *(f"(v{at} IS NULL OR {fits})" for at, fits in self._checks())]
        )
        return f"SELECT {values} FROM ({self._converted()}) WHERE {conditions}"

    def bad_rows(self) -> str:
        """SELECT of row_number, column_name, error_class, reason and raw of the other rows."""
        names = texts(column.name for column in self.columns)
        types = texts(column.type for column in self.columns)
        values = " ".join(f"WHEN {at} THEN v{at}::VARCHAR" for at in range(len(self.columns)))
        return f"""
            SELECT row_number,
                CASE WHEN defect IS NULL THEN {names}[misfit + 1] END AS column_name,
                coalesce(defect, {literal(self.misfit)}) AS error_class,
                CASE WHEN defect IS NULL THEN 'Not a valid ' || {types}[misfit + 1] || ': '
                    || CASE misfit {values} END END AS reason,
                raw
            FROM ({self._judged()})
            WHERE (defect IS NOT NULL OR misfit IS NOT NULL)
                AND raw IS NOT NULL AND trim(raw, ' \t\r\n') <> ''"""

    def fitting(self) -> str:
        """SELECT of one list: for each column, whether all its values fit."""
        fits = dict(self._checks())
        found = (
            f"coalesce(bool_and(v{at} IS NULL OR {fits[at]}), true)" if at in fits else "true"
            for at in range(len(self.columns))
        )
        return f"SELECT [{', '.join(found)}] FROM ({self._converted()}) WHERE defect IS NULL"

    def _judged(self) -> str:
        misfits = " ".join(
            f"WHEN v{at} IS NOT NULL AND NOT {fits} THEN {at}" for at, fits in self._checks()
        )
        misfit = f"CASE {misfits} END" if misfits else "NULL::INTEGER"
        return f"""
            SELECT {self.row_number} AS row_number, {misfit} AS misfit, *
            FROM ({self._converted()})"""

    def _checks(self) -> Iterator[tuple[int, str]]:
        """For each column that not every value fits, SQL of whether one that is not NULL does."""
        for at, column in enumerate(self.columns):
            if column.type == "VARCHAR" or self._is_given(at):
                continue
            value = f"t{at}" if is_nested(column.type) else self._value(at)
            unchanged = exact(value, f"c{at}", column.type) if self.doubtful else None
            yield at, f"(c{at} IS NOT NULL{f' AND {unchanged}' if unchanged else ''})"

    def _value(self, at: int) -> str:
        return f"({self.notation.read(f'v{at}', self.columns[at].type)})"

    def _is_given(self, at: int) -> bool:
        return bool(self.given) and self.given[at] == self.columns[at].type

    def _is_nested(self, at: int) -> bool:
        return bool(self.given) and is_nested(self.given[at])

    def _converted(self) -> str:
        relation, casts = self.relation, []
        for at, column in enumerate(self.columns):
            value = self._value(at)
            if is_nested(column.type) and not self._is_given(at):
                text = f"to_json({value})::VARCHAR" if self._is_nested(at) else f"{value}::VARCHAR"
                relation = f"SELECT *, {nested_text(text, column.type)} AS t{at} FROM ({relation})"
                value = f"t{at}"
            casts.append(f"TRY_CAST({value} AS {column.type}) AS c{at}")
        return f"SELECT *, {', '.join(casts)} FROM ({relation})"
