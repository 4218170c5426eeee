"""Which patterns need which words, as arrays."""

from __future__ import annotations

from array import array
from itertools import accumulate, chain
from typing import NamedTuple, Self

from daemon.triage.matching.words import NeededWords, Numbers


class Postings(NamedTuple):
    """By number of a word the patterns that need it: `patterns[starts[word] : starts[word + 1]]`."""

    starts: Numbers
    patterns: Numbers

    @classmethod
    def of(cls, needed: NeededWords) -> Self:
        """The patterns' numbers by the rarest words that each needs."""
        counts = array("I", bytes(4 * len(needed.words)))
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
