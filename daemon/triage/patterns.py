"""Searching a text for hundreds of regular expressions at once.

One RE2 set finds all of them in a single scan, as long as no pattern has a gap (``quota.*exceeded``):
every gap doubles the states that its automaton may need, and many would have it rebuilt all the
time. So the set holds the pieces between the gaps, and a pattern whose pieces are all in the text is
looked for by itself.
"""

from __future__ import annotations

import re

import re2

_FLAGS = "(?im)"
_SET_MEMORY = 8 * 1024 * 1024
"""An upper bound for the automaton's states, which are built as texts need them."""
_TOKEN = re.compile(
    r"(?P<gap>(?:\.|\[\^\\n\])(?:[*+]|\{\d*,\d*\})\??)|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL
)


def search_set(*patterns: str, memory: int = _SET_MEMORY) -> re2.Set:
    """A compiled set that finds the patterns anywhere, whatever their case. Raises `re2.error`."""
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False
    found = re2.Set.SearchSet(options)
    for pattern in patterns:
        found.Add(f"{_FLAGS}{pattern}".encode())
    found.Compile()
    return found


class Pattern:
    """One alternative of a rule's pattern and what has to be in the text for it to match."""

    __slots__ = ("_alone", "expression", "owner", "pieces")

    def __init__(self, expression: str, owner: int) -> None:
        self.expression = expression
        self.owner = owner
        self.pieces = _pieces(expression)
        self._alone: re2.Set | None = None

    def is_in(self, text: bytes) -> bool:
        """Whether it matches a text that holds all its pieces."""
        if self.pieces == [self.expression]:
            return True
        if self._alone is None:
            self._alone = search_set(self.expression)
        return self._alone.Match(text) is not None


class PatternIndex:
    """Patterns with their owners. Threads may share it."""

    def __init__(self, patterns: list[tuple[str, int]]) -> None:
        numbers: dict[str, int] = {}
        by_key: dict[int, list[tuple[frozenset[int], Pattern]]] = {}
        for expression, owner in patterns:
            for alternative in _alternatives(expression):
                pattern = Pattern(alternative, owner)
                needed = {numbers.setdefault(piece, len(numbers)) for piece in pattern.pieces}
                key = numbers[min(pattern.pieces, key=_commonness)]
                by_key.setdefault(key, []).append((frozenset(needed - {key}), pattern))
        self._by_key = [tuple(by_key.get(number, ())) for number in range(len(numbers))]
        self._set = search_set(*numbers) if numbers else None

    def candidates(self, text: bytes) -> dict[int, list[Pattern]]:
        """By owner, the patterns whose pieces are all in the text; ask them whether they match."""
        numbers = self._set.Match(text) if self._set is not None and text else None
        found: dict[int, list[Pattern]] = {}
        if not numbers:
            return found
        present = set(numbers)
        for number in numbers:
            for also_needed, pattern in self._by_key[number]:
                if also_needed <= present:
                    found.setdefault(pattern.owner, []).append(pattern)
        return found


def _commonness(piece: str) -> tuple[int, int]:
    """Pieces with fewer and longer alternatives are found in fewer texts."""
    return piece.count("|"), -len(piece)


def _split(expression: str) -> list[tuple[str, str]]:
    """The expression outside groups, as pairs of a kind ("text", "gap" or "or") and its source."""
    parts: list[tuple[str, str]] = []
    depth = 0
    for token in _TOKEN.finditer(expression):
        source = token[0]
        depth += (source == "(") - (source == ")")
        kind = "text" if depth else "gap" if token["gap"] else "or" if source == "|" else "text"
        if kind == "text" and parts and parts[-1][0] == "text":
            parts[-1] = ("text", parts[-1][1] + source)
        else:
            parts.append((kind, source))
    return parts


def _alternatives(expression: str) -> list[str]:
    alternatives = [""]
    for kind, source in _split(expression):
        if kind == "or":
            alternatives.append("")
        else:
            alternatives[-1] += source
    return alternatives


def _pieces(expression: str) -> list[str]:
    """The sources between the gaps; the whole expression where they would not say anything."""
    pieces = [source for kind, source in _split(expression) if kind == "text"]
    telling = [piece for piece in pieces if not search_set(piece, memory=1 << 20).Match("")]
    if len(telling) == len(_split(expression)) or not telling:
        return [expression]
    return telling
