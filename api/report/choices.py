"""What a dashboard chose: values in the notations of its variables, as conditions of the store.

Grafana writes several values of a variable as ``(a|b)``, with what is special in a regular expression
escaped, as ``{a,b}`` or as ``a,b``; all of them as ``.*``, ``.+``, ``*`` or ``$__all``, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from api.problems import Mistake
from api.schemas.fields import Given
from daemon.store.report_conditions import MOST_VALUES, Comparison, Condition, Dimension
from daemon.taxonomy import CATEGORY_ALIASES, Category, FailureStatus, Group, RunStatus

Blame = Callable[[str, str], Mistake]
"""Makes a mistake of what was expected and the name of where."""

_EVERYTHING = ("", ".*", ".+", "*", "$__all", "__all")
_ESCAPED = re.compile(r"\\([^A-Za-z0-9])")
_ALTERNATIVES = re.compile(r"((?:[^|\\]|\\.)*)(?:\||$)", re.DOTALL)

LONGEST_VALUE = 200

VOCABULARIES: dict[Dimension, type[StrEnum]] = {
    Dimension.CATEGORY: Category,
    Dimension.ERROR_GROUP: Group,
    Dimension.STATUS: FailureStatus,
}
"""Dimensions of failures whose values are known; `retryable` is true or false."""
RUN_VOCABULARIES = VOCABULARIES | {Dimension.STATUS: RunStatus}


def values_of(given: Given) -> tuple[str, ...] | None:
    """The values that were chosen, each once; None when all or none were."""
    if given is None:
        return None
    texts = given if isinstance(given, list) else [text_of(given)]
    found = [value for text in texts for value in _split(text.strip())]
    if any(value in _EVERYTHING for value in found):
        found = [] if all(value in _EVERYTHING for value in found) else _without_nothing(found)
    return tuple(dict.fromkeys(found)) or None


def _without_nothing(found: list[str]) -> list[str]:
    """Empty places between commas say nothing; "all" among others says all."""
    rest = [value for value in found if value]
    return [] if any(value in _EVERYTHING for value in rest) else rest


def text_of(given: str | float | bool) -> str:
    """A value as a query string would have it."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, float) and given.is_integer():
        return str(int(given))
    return str(given)


def _split(text: str) -> list[str]:
    if text in _EVERYTHING:
        return [text]
    if text.startswith("(") and text.endswith(")"):
        inner = text[1:-1]
        return [_literal(match[1]) for match in _ALTERNATIVES.finditer(inner) if match[0]]
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    return [_literal(part.strip()) for part in text.split(",")]


def _literal(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def conditions_of(
    given: Mapping[Dimension, Given],
    names: Mapping[Dimension, str],
    blame: Blame,
    vocabularies: Mapping[Dimension, type[StrEnum]] = VOCABULARIES,
) -> tuple[list[Condition], list[Mistake]]:
    """What must hold for what was given, and what is wrong with it. `names` are for mistakes."""
    conditions, mistakes = list[Condition](), list[Mistake]()
    for dimension, value in given.items():
        chosen = values_of(value)
        if chosen is None:
            continue
        chosen = stored(dimension, chosen)
        wrong = expectation(dimension, chosen, vocabularies)
        if wrong:
            mistakes.append(blame(wrong, names.get(dimension, dimension)))
        else:
            conditions.append(Condition(dimension, Comparison.IN, chosen))
    return conditions, mistakes


def stored(dimension: Dimension, values: Iterable[str]) -> tuple[str, ...]:
    """Values as the store has them: categories by their own names."""
    if dimension is Dimension.CATEGORY:
        values = (CATEGORY_ALIASES.get(value, value) for value in values)
    if dimension is Dimension.RETRYABLE:
        values = (value.lower() for value in values)
    return tuple(str(value) for value in values)


def expectation(
    dimension: Dimension,
    values: tuple[str, ...],
    vocabularies: Mapping[Dimension, type[StrEnum]] = VOCABULARIES,
) -> str | None:
    """What was expected in place of values that cannot be; None when they are good."""
    if len(values) > MOST_VALUES:
        return f"at most {MOST_VALUES} values"
    if any(len(value) > LONGEST_VALUE for value in values):
        return f"values of at most {LONGEST_VALUE} characters"
    known = _known(dimension, vocabularies)
    if known is not None and not set(values) <= set(known):
        return f"values among {', '.join(known)}"
    return None


def _known(
    dimension: Dimension, vocabularies: Mapping[Dimension, type[StrEnum]]
) -> list[str] | None:
    if dimension is Dimension.RETRYABLE:
        return ["true", "false"]
    vocabulary = vocabularies.get(dimension)
    return None if vocabulary is None else [member.value for member in vocabulary]
