"""How many items an operation takes at once, and when it may take the next ones."""

from __future__ import annotations

LEAST, MOST = 10, 1000
"""Items in a chunk without a rate."""
QUICK, SLOW = 2.0, 10.0
"""A chunk that takes less (or more) seconds than this is followed by a larger (or smaller) one."""
RATED_SECONDS = 5.0
"""With a rate, a chunk has the items of about so many seconds."""


class ChunkPace:
    """The pace of one operation. Times are seconds on the monotonic clock.

    Results are stored, and a cancellation is looked at, between two chunks. So chunks stay small
    where items are slow, and grow where they are quick.
    """

    def __init__(self, rate: int | None) -> None:
        """`rate` is in items a minute; None is as fast as can be."""
        self._seconds_each = 60 / rate if rate else 0.0
        self._size = max(1, int(RATED_SECONDS / self._seconds_each)) if rate else LEAST
        self._next = float("-inf")

    @property
    def size(self) -> int:
        """How many items the next chunk may have."""
        return min(self._size, MOST)

    def wait(self, now: float) -> float:
        """Seconds until the next chunk may begin."""
        return max(0.0, self._next - now)

    def took(self, items: int, began: float, ended: float) -> None:
        """A chunk is done."""
        self._next = began + items * self._seconds_each
        if self._seconds_each:
            return
        if ended - began < QUICK:
            self._size = min(MOST, self._size * 2)
        elif ended - began > SLOW:
            self._size = max(LEAST, self._size // 2)
