"""Which time a report is about, and in which stretches: bounded, with a clear answer beyond."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from api.problems import BadRequest, Mistake
from api.report.choices import Blame
from daemon.store.report_grid import DAY, Grid

MOST_STRETCHES = 2_000
"""Points of one series."""
MOST_POINTS = 50_000
"""Points of all series together."""
USUAL_STRETCHES = 300
MOST_SERIES = 100
USUAL_SERIES = 20
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(days=36_500)

_UNITS = {
    "": timedelta(milliseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": DAY,
    "w": 7 * DAY,
    "y": 365 * DAY,
}
INTERVAL = r"^[0-9]{1,9}(ms|s|m|h|d|w|y)?$"
INTERVAL_WORDS = "a length such as 30s, 5m, 1h or 1d, or milliseconds"


class Span(NamedTuple):
    """From `since` to before `until`."""

    since: datetime
    until: datetime

    @classmethod
    def over(
        cls, since: datetime | None, until: datetime | None, now: datetime, blame: Blame
    ) -> Span:
        """The time asked for; the last 24 hours if nothing is said. Raises `BadRequest`."""
        end = until or now
        begin = since if since is not None else end - DAY
        if begin > end:
            raise BadRequest([blame("a time that is not before the other one", "to")])
        return cls(begin, end)


class Shape(NamedTuple):
    """How many stretches and series were asked for."""

    interval: timedelta | None
    stretches: int
    series: int
    shortest: timedelta = _SHORTEST
    """If the interval is chosen."""


def interval_of(text: str) -> timedelta | None:
    """A length of time as Grafana writes it, 1 second at least; None when it is no such text."""
    found = re.fullmatch(INTERVAL, text.strip())
    if not found:
        return None
    digits = re.match("[0-9]+", found[0])
    assert digits is not None
    seconds = int(digits[0]) * _UNITS[found[1] or ""].total_seconds()
    return min(max(timedelta(seconds=min(seconds, 1e10)), _SHORTEST), _LONGEST)


def grid_of(span: Span, shape: Shape, blame: Blame) -> Grid:
    """The stretches of a report. Raises `BadRequest` when they and the series are too many."""
    most = min(MOST_STRETCHES, MOST_POINTS // shape.series)
    if shape.interval is None:
        return Grid.choose(span.since, span.until, min(shape.stretches, most), shape.shortest)
    grid = Grid.over(span.since, span.until, shape.interval)
    if grid.count > most:
        raise BadRequest([_too_many(span, shape, most, blame)])
    return grid


def _too_many(span: Span, shape: Shape, most: int, blame: Blame) -> Mistake:
    enough = Grid.choose(span.since, span.until, most).step
    return blame(
        f"{_written(enough)} or more for this time and {shape.series} series, which makes at most "
        f"{most} points of each",
        "interval",
    )


def _written(step: timedelta) -> str:
    unit = next(u for u in ("d", "h", "m", "s") if step % _UNITS[u] == timedelta(0))
    return f"{step // _UNITS[unit]}{unit}"
