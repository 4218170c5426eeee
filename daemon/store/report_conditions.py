"""Conditions of reports: tests of the closed set of things that failures and runs are told apart by.

What is tested comes from vocabularies of this module; what it is compared with is always a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import duckdb
import msgspec

from daemon.errors import InvalidQuery
from daemon.store.reading import Reader
from daemon.store.sql import SQL
from daemon.taxonomy import CATEGORIES

MOST_VALUES = 100
"""Values of one condition."""
LONGEST_PATTERN = 200
"""Characters of a regular expression. RE2 takes time in proportion to the text, whatever it says."""


class Dimension(StrEnum):
    """What failures are counted by."""

    PIPELINE = "pipeline"
    SOURCE = "source"
    CATEGORY = "category"
    ERROR_GROUP = "error_group"
    RETRYABLE = "retryable"
    STATUS = "status"
    RULE = "rule"
    FAILURE_GROUP = "failure_group"
    STEP = "step"


class Measure(StrEnum):
    """What failures are compared by as numbers."""

    ATTEMPT = "attempt"
    DURATION = "duration_seconds"


Key = Dimension | Measure
_MEASURES = frozenset(map(str, Measure))


class Comparison(StrEnum):
    """How a value is compared."""

    IN = "in"
    NOT_IN = "not in"
    MATCHES = "matches"
    """The whole of the value, as RE2 reads the regular expression."""
    MATCHES_NOT = "matches not"
    BELOW = "below"
    ABOVE = "above"


class Condition(msgspec.Struct, frozen=True):
    """One test; all conditions of a filter must hold."""

    key: str
    """A `Dimension` or a `Measure`; as text, since filters are stored with retries."""
    comparison: Comparison
    values: tuple[str, ...]
    """For IN and NOT_IN any number, for the others exactly one."""


ERROR_GROUP = (
    "CASE category "
    + " ".join(f"WHEN '{c.value}' THEN '{facts.group.value}'" for c, facts in CATEGORIES.items())
    + " END"
)
"""The coarse side of a category."""

FAILURE_COLUMNS: dict[str, str] = {
    Dimension.PIPELINE: "pipeline",
    Dimension.SOURCE: "source",
    Dimension.CATEGORY: "category",
    Dimension.ERROR_GROUP: ERROR_GROUP,
    Dimension.RETRYABLE: "retryable::VARCHAR",
    Dimension.STATUS: "status",
    Dimension.RULE: "rule",
    Dimension.FAILURE_GROUP: "failure_group",
    Dimension.STEP: "step",
    Measure.ATTEMPT: "attempt",
    Measure.DURATION: "duration_seconds",
}
"""The SQL of each key over failures."""

RUN_COLUMNS: dict[str, str] = {
    Dimension.PIPELINE: "pipeline",
    Dimension.SOURCE: "source",
    Dimension.CATEGORY: "coalesce(category, '')",
    Dimension.ERROR_GROUP: f"coalesce({ERROR_GROUP}, '')",
    Dimension.STATUS: "status",
}
"""The same over runs, which have no other keys."""

NOT_TALLIED: frozenset[str] = frozenset({Dimension.RULE, Dimension.STEP, *Measure})
"""What only the failures themselves can tell, and not the tally of days."""

_SQL = {
    Comparison.IN: "list_contains(?, {})",
    Comparison.NOT_IN: "NOT list_contains(?, {})",
    Comparison.MATCHES: "regexp_full_match({}, ?)",
    Comparison.MATCHES_NOT: "NOT regexp_full_match({}, ?)",
    Comparison.BELOW: "{} < ?::DOUBLE",
    Comparison.ABOVE: "{} > ?::DOUBLE",
}


def fragments(
    conditions: Iterable[Condition], columns: Mapping[str, str]
) -> tuple[list[str], list[Any]]:
    """The conditions as SQL over columns, with their parameters."""
    parts, parameters = list[str](), list[Any]()
    for condition in conditions:
        listed = condition.comparison in (Comparison.IN, Comparison.NOT_IN)
        column = columns[condition.key]
        if condition.key in _MEASURES and listed:
            column = f"{column}::DOUBLE"
            parts.append(_SQL[condition.comparison].format(column).replace("?", "?::DOUBLE[]"))
        else:
            parts.append(_SQL[condition.comparison].format(column))
        parameters.append(list(condition.values) if listed else condition.values[0])
    return parts, parameters


def check_patterns(reader: Reader, conditions: Iterable[Condition]) -> None:
    """Raises `InvalidQuery` for a regular expression that RE2 does not take."""
    for condition in conditions:
        if condition.comparison in (Comparison.MATCHES, Comparison.MATCHES_NOT):
            try:
                reader.rows(SQL["check_pattern"], [condition.values[0]])
            except duckdb.InvalidInputException as error:
                said = str(error).splitlines()[0].removeprefix("Invalid Input Error: ")
                raise InvalidQuery(
                    f"{condition.key}: expected a regular expression that RE2 takes ({said})"
                ) from None
