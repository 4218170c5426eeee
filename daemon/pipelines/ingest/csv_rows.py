"""Lines of a CSV file as rows take them: bounded, and given back where a row ends before them."""

from __future__ import annotations

import io
from typing import TextIO

from daemon.errors import TriagedError

LONGEST_LINE = 2_000_000
"""Bytes that a row may have."""
_LOOK_AHEAD = 8 * LONGEST_LINE
"""Characters in which the end of a row that is too long is looked for."""
_PIECE = 1 << 20
_MANY = 100_000
"""Lines beyond which they are joined: each by itself takes fifty bytes more."""


class RowTooLong(TriagedError):
    """The row has more characters than a row may have."""


class RowLines:
    """The lines of a text, and which of them the row that is read took."""

    def __init__(self, text: TextIO, delimiter: str, quote: str = '"') -> None:
        self.taken: list[str] = []
        """The row's lines. Of one that is too long by itself, the beginning."""
        self._text = text
        self._quote = quote
        self._ends = (delimiter, "\r", "\n", "")
        self._returned = io.StringIO(newline="")
        self._size = 0

    def __iter__(self) -> RowLines:
        return self

    def __next__(self) -> str:
        line = self._take()
        if self._size > LONGEST_LINE:
            raise RowTooLong
        return line

    def begin_row(self) -> None:
        """What is taken from now on belongs to the next row."""
        self.taken.clear()
        self._size = 0

    def keep_first(self) -> str:
        """The row's first line; the others will be read again."""
        first, *others = self.taken
        if others:
            self._returned = io.StringIO("".join(others) + self._returned.read(), newline="")
        return first

    def finish_row(self) -> bool:
        """Takes the rest of a row that is too long.

        False if a quote that it opens is not closed as quotes are: then it is not known where it ends.
        """
        is_open = bool(sum(line.count(self._quote) for line in self.taken) % 2)
        is_open = self._finish_line(is_open)
        while is_open and self._size < _LOOK_AHEAD:
            try:
                line = self._take()
            except StopIteration:
                break
            if self._quote in line and not self._closes(line):
                return False
            is_open = self._finish_line(is_open ^ bool(line.count(self._quote) % 2))
        return not is_open or len(self.taken[0]) > LONGEST_LINE

    def _take(self) -> str:
        line = self._read(LONGEST_LINE + 1)
        if not line:
            raise StopIteration
        if len(self.taken) > _MANY:
            self.taken[1:] = ["".join(self.taken[1:])]
        self.taken.append(line)
        self._size += len(line)
        return line

    def _read(self, limit: int) -> str:
        return self._returned.readline(limit) or self._text.readline(limit)

    def _finish_line(self, is_open: bool) -> bool:
        """Drops what the last line has beyond its beginning; returns whether a quote is open then."""
        rest = self.taken[-1]
        while rest and not rest.endswith(("\n", "\r")):
            rest = self._read(_PIECE)
            is_open ^= bool(rest.count(self._quote) % 2)
        return is_open

    def _closes(self, line: str) -> bool:
        """Whether the first quote in a line ends a cell: what is no quote of text is followed by an end."""
        quotes = line.replace(self._quote * 2, "")
        at = quotes.find(self._quote)
        return at < 0 or quotes[at + 1 : at + 2] in self._ends
