"""The words that patterns need, numbered; for the bundled rules worked out beforehand.

Reading thousands of expressions takes a fifth of a second, so what comes of it is kept in a file that
`make docs` writes. It is looked up by expression: one that is not in it is read when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources

import msgspec

from daemon.triage.literals import needs

FILE = resources.files("daemon.triage").joinpath("bundled").joinpath("words.json")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What one expression needs."""

    certain: bool
    """Whether it matches wherever one of its words is found."""
    words: tuple[tuple[int, ...], ...]
    """Numbers of words, the rarest first: one of each is in any match. Empty when nothing is known."""


class WordTable(msgspec.Struct):
    """Words by number, and what expressions need by expression."""

    words: list[str]
    entries: dict[str, Entry]

    @classmethod
    def bundled(cls) -> WordTable:
        """The table that comes with triaged."""
        return msgspec.json.decode(FILE.read_bytes(), type=cls)

    @classmethod
    def of(cls, expressions: Iterable[str]) -> WordTable:
        """A table of these expressions, read anew."""
        table = cls([], {})
        table.add(expressions)
        return table

    def add(self, expressions: Iterable[str]) -> None:
        """Reads those that are not in the table yet."""
        unknown = [expression for expression in expressions if expression not in self.entries]
        numbers = {word: number for number, word in enumerate(self.words)} if unknown else {}
        for expression in unknown:
            needed = needs(expression)
            wanted = needed.all
            self.entries[expression] = Entry(
                certain=bool(wanted) and needed.bare and needed.exact is wanted[0],
                words=tuple(
                    tuple(numbers.setdefault(word, len(numbers)) for word in sorted(words))
                    for words in wanted
                ),
            )
        self.words += list(numbers)[len(self.words) :]
