"""Where a page ended, so that the next one goes on there whatever has come in meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from daemon.errors import InvalidQuery

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (as it is stored)


class Position(NamedTuple):
    """The time, as it is stored, and the id of the last record of a page."""

    time: datetime
    id: int

    @classmethod
    def parse(cls, cursor: str) -> Position:
        """What `str` wrote. Raises `InvalidQuery`."""
        micros, _, number = cursor.partition(".")
        if not (micros.isascii() and micros.isdigit() and number.isascii() and number.isdigit()):
            raise InvalidQuery("cursor: expected the next_cursor of an earlier answer")
        try:
            return cls(_EPOCH + timedelta(microseconds=int(micros)), int(number))
        except OverflowError:
            raise InvalidQuery("cursor: expected the next_cursor of an earlier answer") from None

    def __str__(self) -> str:
        return f"{(self.time - _EPOCH) // timedelta(microseconds=1)}.{self.id}"
