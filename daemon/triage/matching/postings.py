"""Which patterns need which words, as arrays: thousands of lists would take several times the memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain, compress
from typing import NamedTuple, Self

from daemon.triage.matching.words import Numbers, groups


class Needed(NamedTuple):
    """The words that patterns need, read from the table whenever they are wanted."""

    numbers: Numbers
    places: Numbers
    """Of each pattern."""

    def rarest(self) -> Iterator[Numbers]:
        """For each pattern the words of which any match holds one; none where nothing is known."""
        numbers = self.numbers
        for place in self.places:
            yield numbers[place + 2 : place + 2 + numbers[place + 1]]

    def further(self) -> Iterator[tuple[int, tuple[Numbers, ...]]]:
        """By number of a pattern the groups beside the rarest; patterns share those that are equal."""
        shared: dict[bytes, Numbers] = {}
        for number, place in enumerate(self.places):
            length = self.numbers[place + 1]
            if length and self.numbers[place + 2 + length]:
                found = list(groups(self.numbers, place))[1:]
                yield number, tuple(shared.setdefault(words.tobytes(), words) for words in found)

    def words(self, count: int, further: Iterable[tuple[Numbers, ...]]) -> Iterator[int]:
        """Which of so many words any pattern needs; `further` as above."""
        found = bytearray(count)
        for words in chain(self.rarest(), chain.from_iterable(further)):
            for word in words:
                found[word] = True
        return compress(range(count), found)


class Postings(NamedTuple):
    """By number of a word the patterns that need it: `patterns[starts[word] : starts[word + 1]]`."""

    starts: Numbers
    patterns: Numbers

    @classmethod
    def of(cls, words: int, needed: Needed) -> Self:
        """The patterns' numbers by the rarest words that each needs."""
        counts = array("I", bytes(4 * words))
        for word in chain.from_iterable(needed.rarest()):
            counts[word] += 1
        starts = array("I", accumulate(counts, initial=0))
        patterns = array("I", bytes(4 * starts[-1]))
        free = starts[:]
        for pattern, numbers in enumerate(needed.rarest()):
            for word in numbers:
                patterns[free[word]] = pattern
                free[word] += 1
        return cls(starts, patterns)
