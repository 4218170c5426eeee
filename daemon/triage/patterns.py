"""Searching a text for thousands of regular expressions at once, in time linear in the text.

One pass of an Aho-Corasick automaton finds the words that the patterns need; those whose words are all
there are matched with RE2, in the order in which somebody asks. What needs no word is in one RE2 set.
"""

from __future__ import annotations

import re2
from ahocorasick_rs import AhoCorasick, Implementation

from daemon.triage.literals import Words, needs

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


class Pattern:
    """One pattern of a rule."""

    __slots__ = ("_compiled", "also", "certain", "expression", "owner")

    def __init__(self, expression: str, owner: int, *, certain: bool) -> None:
        self.expression = expression
        self.owner = owner
        self.certain = certain
        """Whether it matches wherever its words are found, so that there is nothing left to look for."""
        self.also: list[frozenset[int]] = []
        """Numbers of further words: one of each has to be there too."""
        self._compiled: re2.Set | None = None

    def is_in(self, text: bytes) -> bool:
        """Whether it matches a text that holds its words."""
        if self.certain:
            return True
        if self._compiled is None:
            self._compiled = search_set(self.expression)
        return self._compiled.Match(text) is not None


class PatternIndex:
    """Patterns with their owners. Threads may share it."""

    def __init__(self, patterns: list[tuple[str, int]]) -> None:
        self._numbers: dict[str, int] = {}
        self._by_word: list[list[Pattern]] = []
        self._wordless: list[Pattern] = []
        for expression, owner in patterns:
            self._add(expression, owner)
        self._words = AhoCorasick(
            list(self._numbers), store_patterns=False, implementation=Implementation.ContiguousNFA
        )
        self._others = search_set(*(pattern.expression for pattern in self._wordless))

    def _add(self, expression: str, owner: int) -> None:
        needed = needs(expression)
        if not (wanted := needed.all):
            self._wordless.append(Pattern(expression, owner, certain=True))
            return
        first, *others = wanted
        pattern = Pattern(expression, owner, certain=needed.bare and needed.exact is first)
        pattern.also = [self._numbered(words) for words in others]
        for number in self._numbered(first):
            self._by_word[number].append(pattern)

    def _numbered(self, words: Words) -> frozenset[int]:
        """The numbers of words; new ones get the next."""
        found = frozenset(self._numbers.setdefault(word, len(self._numbers)) for word in words)
        self._by_word += [[] for _ in range(len(self._numbers) - len(self._by_word))]
        return found

    def candidates(self, text: bytes) -> dict[int, list[Pattern]]:
        """By owner, the patterns that may match the UTF-8 text; ask them whether they do."""
        hits = self._words.find_matches_as_indexes(text.decode().lower(), overlapping=True)
        present = {number for number, _, _ in hits}
        found: dict[int, list[Pattern]] = {}
        for number in present:
            for pattern in self._by_word[number]:
                if not any(words.isdisjoint(present) for words in pattern.also):
                    found.setdefault(pattern.owner, []).append(pattern)
        if self._wordless:
            for number in self._others.Match(text) or ():
                pattern = self._wordless[number]
                found.setdefault(pattern.owner, []).append(pattern)
        return found
