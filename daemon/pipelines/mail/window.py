"""Which time a run looks at: the last hours, and back to where the last run that saw everything had come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from daemon.pipelines.mail.config import MailSource

MARGIN = timedelta(hours=1)
"""What a server may take to list a message that it received, or its clock be behind ours."""
_TIME = "%Y%m%dT%H%M%SZ"


class Gap(NamedTuple):
    """A time whose messages nobody looked at. It is an item of its own, which a person can have retried."""

    start: datetime
    end: datetime

    @property
    def item(self) -> str:
        """Its name."""
        return f"missed/{_written(self.start)}/{_written(self.end)}"

    @classmethod
    def covering(cls, start: datetime, end: datetime) -> Gap:
        """Whole seconds that hold all of that time."""
        whole_end = end.replace(microsecond=0) + timedelta(seconds=1)
        return cls(start.replace(microsecond=0), whole_end)

    @classmethod
    def of(cls, item: str) -> Gap | None:
        """What `item` names; None when that is something else."""
        kind, _, times = item.partition("/")
        start, _, end = times.partition("/")
        if kind != "missed":
            return None
        try:
            return cls(_read(start), _read(end))
        except ValueError:
            return None

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, datetime) and self.start <= moment < self.end


class Window(NamedTuple):
    """What a run looks at."""

    since: datetime
    reaches_back: bool
    """Whether that is longer ago than the last hours."""
    missed: Gap | None
    """What lies still further back, and was not looked through either."""

    @classmethod
    def of(cls, source: MailSource, reach: datetime | None, now: datetime) -> Window:
        """`reach` is how far the folder was looked through before; None if nothing is known of that.

        A reach in the future, from before a clock was set back, says nothing.
        """
        usual = now - timedelta(hours=source.hours)
        if reach is None or reach > now or reach >= usual:
            return cls(usual, reaches_back=False, missed=None)
        furthest = min(usual, now - timedelta(seconds=source.catch_up))
        since = max(reach - MARGIN, furthest)
        missed = Gap.covering(reach, since) if reach < since else None
        return cls(since, reaches_back=True, missed=missed)


def gaps_of(items: Iterable[str] | None) -> list[Gap]:
    """Those among the items that a run was asked for."""
    return [gap for item in items or () if (gap := Gap.of(item)) is not None]


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)


def _read(text: str) -> datetime:
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
