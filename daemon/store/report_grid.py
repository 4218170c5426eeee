"""Stretches of time of one length, which reports count in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        *(1, 2, 5, 10, 15, 30),
        *(60 * n for n in (1, 2, 5, 10, 15, 30)),
        *(3600 * n for n in (1, 2, 3, 6, 12)),
        *(86400 * n for n in (1, 2, 7, 14, 28, 56, 112, 364)),
    )
)
"""Lengths to choose from."""
DAY = timedelta(days=1)
_ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)
"""Where stretches begin, however long they are: a Monday at midnight."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grid(msgspec.Struct, frozen=True):
    """`count` stretches of `step` from `first` on. The first and last are cut by what was asked for."""

    first: datetime
    step: timedelta
    count: int

    @classmethod
    def over(cls, since: datetime, until: datetime, step: timedelta) -> Grid:
        """The stretches that hold any moment from `since` to before `until`."""
        first = _ORIGIN + (since - _ORIGIN) // step * step
        return cls(first, step, max(0, -((first - until) // step)))

    @classmethod
    def choose(
        cls, since: datetime, until: datetime, most: int, least: timedelta = STEPS[0]
    ) -> Grid:
        """The shortest stretches of the usual lengths, not below `least`, that are `most` or fewer.

        Two at least, because any range may hold a boundary.
        """
        grids = (cls.over(since, until, step) for step in STEPS if step >= least)
        return next(
            (grid for grid in grids if grid.count <= max(most, 2)), cls.longest(since, until)
        )

    @classmethod
    def longest(cls, since: datetime, until: datetime) -> Grid:
        """One stretch, or two, of whole days."""
        return cls.over(since, until, max(STEPS[-1], (until - since) // DAY * DAY + DAY))

    @property
    def whole_days(self) -> bool:
        """Whether every stretch consists of days."""
        return self.step % DAY == timedelta(0)

    def starts(self) -> list[datetime]:
        """When each of them begins, in UTC."""
        return [self.first + number * self.step for number in range(self.count)]

    def place(self, time: str) -> str:
        """SQL for the number of the stretch that a time is in, from 0."""
        first = (self.first - _EPOCH) // timedelta(microseconds=1)
        return f"(epoch_us({time}) - ({first})) // {self.step // timedelta(microseconds=1)}"
