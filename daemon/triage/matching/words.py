"""The words that patterns need, numbered; for the bundled rules worked out beforehand.

Reading thousands of expressions takes a fifth of a second, so what comes of it is kept in a file that
`make docs` writes. It is looked up by expression: one that is not in it is read when it is needed.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from importlib import resources
from typing import TypeAlias

import msgspec

from daemon.triage.matching.literals import needs

FILE = resources.files("daemon.triage.rules").joinpath("bundled").joinpath("words.json")
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


class _Columns(msgspec.Struct, forbid_unknown_fields=True):
    """The table as a file: few large values, since many small ones would leave the heap full of holes."""

    words: str
    """One a line."""
    expressions: str
    """One a line, sorted."""
    needed: bytes
    """Numbers of four bytes, the lowest first: see `WordTable.needed`."""


_NOTHING = _Columns("", "", b"")
_END = None, 0
_LINE = re.compile(r".+")


class WordTable:
    """Words by number, and what expressions need."""

    def __init__(self, columns: _Columns = _NOTHING) -> None:
        self.words = columns.words.split("\n") if columns.words else []
        self.needed = _swapped(array("I", columns.needed))
        """For each expression its `Certainty`, then groups of words; a length before each, a
        zero after the last. `postings.Needed` reads it too."""
        self._expressions = columns.expressions

    @classmethod
    def bundled(cls) -> WordTable:
        """The table that comes with triaged; an empty one if it is of another version of this module."""
        try:
            return cls(msgspec.json.decode(FILE.read_bytes(), type=_Columns))
        except (FileNotFoundError, msgspec.DecodeError):
            return cls()

    def places(self, expressions: Sequence[str]) -> Numbers:
        """For each where in `needed` it stands. Those that are not in the table are read."""
        places = array("I", bytes(4 * len(expressions)))
        known = zip(_lines(self._expressions), _places(self.needed), strict=False)
        line, place = next(known, _END)
        unknown: list[int] = []
        for number in sorted(range(len(expressions)), key=expressions.__getitem__):
            expression = expressions[number]
            while line is not None and line < expression:
                line, place = next(known, _END)
            if line == expression:
                places[number] = place
            else:
                unknown.append(number)
        if unknown:
            self._read(expressions, unknown, places)
        return places

    def _read(self, expressions: Sequence[str], unknown: Iterable[int], places: Numbers) -> None:
        numbers = {word: number for number, word in enumerate(self.words)}
        for unread in unknown:
            found = needs(expressions[unread])
            places[unread] = len(self.needed)
            whole = all(len(word) <= _LONGEST for words in found.all for word in words)
            self.needed.append(_certainty(found.certain, whole=whole))
            for words in found.all:
                looked_for = sorted({word[:_LONGEST] for word in words})
                self.needed.append(len(looked_for))
                self.needed.extend(numbers.setdefault(w, len(numbers)) for w in looked_for)
            self.needed.append(0)
        self.words += list(numbers)[len(self.words) :]


def word_file(expressions: Iterable[str]) -> bytes:
    """What `WordTable.bundled` reads, of these expressions."""
    table = WordTable()
    lines = sorted({line for line in expressions if _LINE.fullmatch(line)})
    table.places(lines)
    needed = _swapped(table.needed).tobytes()
    return msgspec.json.encode(_Columns("\n".join(table.words), "\n".join(lines), needed)) + b"\n"


def _certainty(certain: bool, *, whole: bool) -> Certainty:
    if not certain:
        return Certainty.EXPRESSION
    return Certainty.NOTHING if whole else Certainty.TEXTS


def groups(needed: Numbers, place: int) -> Iterator[Numbers]:
    """Numbers of words: any match of the expression holds one of each group, the rarest first."""
    place += 1
    while length := needed[place]:
        yield needed[place + 1 : place + 1 + length]
        place += 1 + length


def _places(needed: Numbers) -> Iterator[int]:
    place = 0
    while place < len(needed):
        yield place
        place += 1
        while needed[place]:
            place += needed[place] + 1
        place += 1


def _lines(text: str) -> Iterator[str]:
    """One after the other, so that they are never all in memory."""
    return (found[0] for found in _LINE.finditer(text))


def _swapped(numbers: Numbers) -> Numbers:
    """From the byte order of the file to that of the machine, or back."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
