"""Searching a text for thousands of regular expressions at once, in time linear in the text.

One pass of an Aho-Corasick automaton finds the words that the patterns need; those whose words are all
there are matched with RE2, in the order in which somebody asks. What needs no word is in one RE2 set.
"""

from __future__ import annotations

from functools import lru_cache

import re2
from ahocorasick_rs import AhoCorasick, Implementation

from daemon.triage.words import Entry, WordTable

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


class Pattern:
    """One pattern of a rule."""

    __slots__ = ("expression", "needs", "owner")

    def __init__(self, expression: str, owner: int, needs: Entry) -> None:
        self.expression = expression
        self.owner = owner
        self.needs = needs

    def is_in(self, text: bytes) -> bool:
        """Whether it matches a text that holds its words."""
        return self.needs.certain or _compiled(self.expression).Match(text) is not None


class PatternIndex:
    """Patterns with their owners. Threads may share it."""

    def __init__(self, patterns: list[tuple[str, int]]) -> None:
        table = WordTable.bundled()
        table.add(expression for expression, _ in patterns)
        self._by_word: dict[int, list[Pattern]] = {}
        self._wordless: list[Pattern] = []
        for expression, owner in patterns:
            entry = table.entries[expression]
            pattern = Pattern(expression, owner, entry)
            if not entry.words:
                self._wordless.append(pattern)
            for number in entry.words:
                self._by_word.setdefault(number, []).append(pattern)
        self._words = AhoCorasick(
            table.words, store_patterns=False, implementation=Implementation.ContiguousNFA
        )
        self._others = search_set(*(pattern.expression for pattern in self._wordless))

    def candidates(self, text: bytes) -> dict[int, list[Pattern]]:
        """By owner, the patterns that may match the UTF-8 text; ask them whether they do."""
        hits = self._words.find_matches_as_indexes(text.decode().lower(), overlapping=True)
        present = {number for number, _, _ in hits}
        found: dict[int, list[Pattern]] = {}
        missing = present.isdisjoint
        for number in present & self._by_word.keys():
            for pattern in self._by_word[number]:
                for words in pattern.needs.also:
                    if missing(words):
                        break
                else:
                    found.setdefault(pattern.owner, []).append(pattern)
        if self._wordless:
            for number in self._others.Match(text) or ():
                pattern = self._wordless[number]
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
