"""The words that patterns need, numbered, in a few arrays: thousands of lists take several times the memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TypeAlias

from daemon.triage.matching.literals import Needs, needs

_LONGEST = 16
"""Characters of a word that are looked for: they tell nearly as much as the whole, in less memory."""


Numbers: TypeAlias = "array[int]"


class Certainty(IntEnum):
    """What has to be looked at in a text that holds the words which an expression needs."""

    EXPRESSION = 0
    TEXTS = 1
    """The expression is a list of texts, of which some words are only the beginnings."""
    NOTHING = 2
    """It matches wherever one of its words is found, whatever is around it."""

    @classmethod
    def of(cls, found: Needs) -> Certainty:
        if found.exact is None or not found.certain:
            return cls.EXPRESSION
        return cls.TEXTS if any(len(word) > _LONGEST for word in found.exact) else cls.NOTHING


class NeededWords:
    """What expressions need: any match of one holds a word of each of its groups, the rarest group first."""

    def __init__(self, expressions: Iterable[str]) -> None:
        known: dict[str, int] = {}
        self._groups = array("I")
        """Of each expression its groups; a length before each, a zero after the last."""
        self._places = array("I")
        """Of each expression."""
        certainty = bytearray()
        for expression in expressions:
            found = needs(expression)
            certainty.append(Certainty.of(found))
            self._places.append(len(self._groups))
            for words in found.all:
                looked_for = {known.setdefault(word[:_LONGEST], len(known)) for word in words}
                self._groups.append(len(looked_for))
                self._groups.extend(sorted(looked_for))
            self._groups.append(0)
        self.words = list(known)
        """By number."""
        self.certainty = bytes(certainty)
        """Of each expression its `Certainty`."""

    def rarest(self) -> Iterator[Numbers]:
        """For each expression the words of which any match holds one; none where nothing is known."""
        for place in self._places:
            yield self._groups[place + 1 : place + 1 + self._groups[place]]

    def further(self) -> Iterator[tuple[int, tuple[Numbers, ...]]]:
        """By number of an expression the groups beside the rarest; those that are equal are shared."""
        shared: dict[bytes, Numbers] = {}
        for number, place in enumerate(self._places):
            if found := list(self._groups_at(place))[1:]:
                yield number, tuple(shared.setdefault(words.tobytes(), words) for words in found)

    def _groups_at(self, place: int) -> Iterator[Numbers]:
        while length := self._groups[place]:
            yield self._groups[place + 1 : place + 1 + length]
            place += 1 + length
