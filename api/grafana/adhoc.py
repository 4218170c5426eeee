"""Ad-hoc filters of a dashboard as conditions of the store."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from enum import StrEnum

from api.problems import BadRequest, Mistake
from api.report.choices import VOCABULARIES, expectation, stored, text_of, values_of
from api.schemas.grafana import AdHocFilter
from daemon.store.report_conditions import (
    LONGEST_PATTERN,
    Comparison,
    Condition,
    Dimension,
    Key,
    Measure,
)

KEYS: dict[str, Key] = {key.value: key for key in (*Dimension, *Measure)} | {
    "group": Dimension.ERROR_GROUP
}
_COMPARISONS = {
    "=": Comparison.IN,
    "=|": Comparison.IN,
    "!=": Comparison.NOT_IN,
    "!=|": Comparison.NOT_IN,
    "=~": Comparison.MATCHES,
    "!~": Comparison.MATCHES_NOT,
    "<": Comparison.BELOW,
    ">": Comparison.ABOVE,
}
_LISTS = (Comparison.IN, Comparison.NOT_IN)
_PATTERNS = {Comparison.MATCHES: Comparison.IN, Comparison.MATCHES_NOT: Comparison.NOT_IN}


Vocabularies = Mapping[Dimension, type[StrEnum]]


def conditions(
    filters: Sequence[AdHocFilter],
    name: str,
    allowed: Container[Key],
    vocabularies: Vocabularies = VOCABULARIES,
) -> tuple[Condition, ...]:
    """What must hold. `name` is that of the list, for mistakes. Raises `BadRequest`."""
    found, mistakes = list[Condition](), list[Mistake]()
    for number, one in enumerate(filters):
        if not one.key:
            continue
        condition = _condition(one, allowed, vocabularies)
        if isinstance(condition, Condition):
            found.append(condition)
        else:
            field, expected = condition
            mistakes.append(Mistake(expected, pointer=f"/{name}/{number}/{field}"))
    if mistakes:
        raise BadRequest(mistakes)
    return tuple(found)


def _condition(
    one: AdHocFilter, allowed: Container[Key], vocabularies: Vocabularies
) -> Condition | tuple[str, str]:
    """The condition; or the field that is wrong, and what was expected there."""
    key, comparison = KEYS.get(one.key), _COMPARISONS.get(one.operator)
    if key is None or key not in allowed:
        return "key", f"one of {', '.join(name for name, k in KEYS.items() if k in allowed)}"
    if comparison is None:
        return "operator", f"one of {' '.join(_COMPARISONS)}"
    values = tuple(_values(one))
    if isinstance(key, Measure):
        return _of_numbers(key, comparison, values)
    if comparison in _PATTERNS:
        return _of_pattern(key, comparison, values[0])
    if comparison not in _LISTS:
        return "operator", f"one of = != =~ !~ =| !=|, as {key} is no number"
    return _of_values(key, comparison, values, vocabularies)


def _values(one: AdHocFilter) -> list[str]:
    if one.operator in ("=|", "!=|") and one.values is not None:
        return one.values
    return ["" if one.value is None else text_of(one.value)]


def _of_values(
    key: Dimension,
    comparison: Comparison,
    values: tuple[str, ...],
    vocabularies: Vocabularies = VOCABULARIES,
) -> Condition | tuple[str, str]:
    values = stored(key, values)
    wrong = expectation(key, values, vocabularies)
    return ("value", wrong) if wrong else Condition(key, comparison, values)


def _of_pattern(
    key: Dimension, comparison: Comparison, pattern: str
) -> Condition | tuple[str, str]:
    if len(pattern) > LONGEST_PATTERN:
        return "value", f"a regular expression of at most {LONGEST_PATTERN} characters"
    if key is Dimension.FAILURE_GROUP:
        # A group stands for those that were merged into it, so it is known by its id, not by a pattern.
        return _of_values(key, _PATTERNS[comparison], values_of(pattern) or ())
    return Condition(key, comparison, (pattern,))


def _of_numbers(
    key: Measure, comparison: Comparison, values: tuple[str, ...]
) -> Condition | tuple[str, str]:
    if comparison in _PATTERNS:
        return "operator", f"one of = != < > =| !=|, as {key} is a number"
    try:
        numbers = tuple(str(float(value)) for value in values)
    except ValueError:
        return "value", "a number"
    return Condition(key, comparison, numbers)
