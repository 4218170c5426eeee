"""Searching a text for thousands of regular expressions at once, in time linear in the text.

One pass of an Aho-Corasick automaton finds the words that the patterns need; those whose words are all
there are matched with RE2, in the order in which somebody asks. What needs no word is in one RE2 set.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2
from ahocorasick_rs import AhoCorasick, Implementation

from daemon.triage.matching.literals import needs
from daemon.triage.matching.numbers import relaxed
from daemon.triage.matching.postings import Postings
from daemon.triage.matching.words import Certainty, NeededWords

FLAGS = "(?im)"
"""Any case; `^` and `$` match at line ends."""
_SET_MEMORY = 2 * 1024 * 1024
"""An upper bound for the states of one automaton, which are built as texts need them."""


def search_set(*patterns: str, memory: int = _SET_MEMORY) -> re2.Set:
    """A compiled set that finds the patterns anywhere, whatever their case. Raises `re2.error`."""
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    found = re2.Set.SearchSet(options)
    for pattern in patterns:
        found.Add(f"{FLAGS}{pattern}".encode())
    found.Compile()
    return found


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re2.Set:
    """Only as many as are in use at a time: thousands of automata take tens of megabytes."""
    return search_set(expression)


@lru_cache(maxsize=128)
def _all_compiled(expressions: tuple[str, ...]) -> re2.Set:
    return search_set(*expressions)


@lru_cache(maxsize=256)
def _texts(expression: str) -> tuple[str, ...]:
    """All that an expression matches which is a list of texts."""
    return tuple(needs(expression).exact or ())


class Searched(NamedTuple):
    """A text as patterns look at it."""

    encoded: bytes
    lowered: str

    @classmethod
    def of(cls, text: str) -> Searched:
        encoded = text.encode(errors="replace")
        return cls(encoded, encoded.decode().lower())


class Pattern(NamedTuple):
    """One pattern of a rule."""

    expression: str
    owner: int
    certainty: int = Certainty.EXPRESSION

    def is_in(self, text: Searched) -> bool:
        """Whether it matches a text that holds its words."""
        if self.certainty == Certainty.NOTHING:
            return True
        if self.certainty == Certainty.TEXTS:
            return any(listed in text.lowered for listed in _texts(self.expression))
        return _compiled(self.expression).Match(text.encoded) is not None


def first_match(expressions: tuple[str, ...], text: str) -> int | None:
    """The place of the first expression that matches the text, found in one pass."""
    found = _all_compiled(expressions).Match(text.encode(errors="replace"))
    return min(found) if found else None


class PatternIndex:
    """Patterns with their owners, in a few arrays: thousands of objects take several times the memory.

    Threads may share it.
    """

    def __init__(self, expressions: Sequence[str], owners: Iterable[int]) -> None:
        needed = NeededWords(expressions)
        self._expressions = expressions
        self._owners = array("I", owners)
        self._certainty = needed.certainty
        self._by_word = Postings.of(needed)
        self._also = dict(needed.further())
        self._wordless = [number for number, words in enumerate(needed.rarest()) if not words]
        self._others = search_set(*(expressions[number] for number in self._wordless))
        self._words = AhoCorasick(
            needed.words, store_patterns=False, implementation=Implementation.ContiguousNFA
        )

    def candidates(self, text: Searched) -> dict[int, list[int]]:
        """By owner, the numbers of the patterns that may match the text; ask `any_in` whether they do."""
        hits = self._words.find_matches_as_indexes(text.lowered, overlapping=True)
        starts, patterns = self._by_word
        present = {word for word, _, _ in hits}
        further, owners, missing = self._also.get, self._owners, present.isdisjoint
        found: dict[int, list[int]] = {}
        for word in present:
            for number in patterns[starts[word] : starts[word + 1]]:
                for words in further(number, ()):
                    if missing(words):
                        break
                else:
                    found.setdefault(owners[number], []).append(number)
        if self._wordless:
            for place in self._others.Match(text.encoded) or ():
                number = self._wordless[place]
                found.setdefault(owners[number], []).append(number)
        return found

    def any_in(self, numbers: Iterable[int], text: Searched) -> bool:
        """Whether any of these patterns matches the text."""
        return any(self[number].is_in(text) for number in numbers)

    def __getitem__(self, number: int) -> Pattern:
        return Pattern(self._expressions[number], self._owners[number], self._certainty[number])


class DigitPatterns:
    """The patterns that name digits, and so tell apart texts of the same shape."""

    def __init__(self, expressions: Sequence[str], owners: Sequence[int]) -> None:
        forms = {n: form for n, e in enumerate(expressions) if (form := relaxed(e)) is not None}
        self._patterns = {n: Pattern(expressions[n], owners[n]) for n in forms}
        self._forms = PatternIndex(list(forms.values()), forms)

    def __contains__(self, number: object) -> bool:
        return number in self._patterns

    def possible(self, shape: Searched) -> dict[int, list[Pattern]]:
        """By owner, the patterns that match some texts of the shape, by what digits they have."""
        found: dict[int, list[Pattern]] = {}
        for number, forms in self._forms.candidates(shape).items():
            if self._forms.any_in(forms, shape):
                pattern = self._patterns[number]
                found.setdefault(pattern.owner, []).append(pattern)
        return found


def pattern_mistake(pattern: str) -> str | None:
    """Why a pattern cannot be one of a rule; None when it can."""
    try:
        return "it matches every message" if search_set(pattern).Match("") else None
    except re2.error:
        return _reason(pattern)


def _reason(pattern: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return "it is too large"
