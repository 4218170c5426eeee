"""The settings of the alerts: `thresholds.toml` as one tree of frozen records, checked whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

FILE = Path(__file__).with_name("thresholds.toml")

Duration = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]*(s|m|h|d|w)$", description="a duration such as 30s, 5m or 1d")
]
Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Address = Annotated[str, Meta(pattern=r"^https?://[^\s{}]+[^\s{}/]$")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds(duration: str) -> int:
    """How many seconds a duration is."""
    return int(duration[:-1]) * _UNITS[duration[-1]]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the file: what it does not know it refuses."""


class Target(Table, frozen=True):
    """Which series the rules look at."""

    job: Annotated[str, Meta(pattern=r'^[^"\\{}\n]+$')]
    matchers: Annotated[str, Meta(pattern=r"^[^{}\n]*$")]


class Links(Table, frozen=True):
    """Where those who get an alert reach the API, Grafana and the runbooks."""

    api: Address
    dashboards: Address
    runbooks: Address


class Authentication(Table, frozen=True):
    """Refused credentials."""

    critical_after: Duration


class Consecutive(Table, frozen=True):
    """A source that failed several times in a row."""

    consecutive: Annotated[int, Meta(ge=1)]


class FailuresOpen(Table, frozen=True):
    """Failures of a source that stay open."""

    after: Duration
    passing_after: Duration
    critical_after: Duration
    left_behind_after: Duration


class NoSuccess(Table, frozen=True):
    """A source without a success for some intervals."""

    intervals: Annotated[int, Meta(ge=1)]
    critical_intervals: Annotated[int, Meta(ge=1)]
    slack: Duration
    after_pause: Duration


class ErrorBudget(Table, frozen=True):
    """The share of runs that should not fail."""

    objective: Share
    least_runs: Count


class ItemsFailed(Table, frozen=True):
    """The share of items that fail."""

    ratio: Share
    least: Count
    lasting: Duration


class RetryableCollapsed(Table, frozen=True):
    """Failures that a retry helps become rare."""

    below: Share
    usually_above: Share
    least_failures: Count
    lasting: Duration


class UnknownShare(Table, frozen=True):
    """Failures that no rule recognises."""

    above: Share
    least_failures: Count
    lasting: Duration


class Retries(Table, frozen=True):
    """Items that wait for another attempt."""

    pending: Annotated[int, Meta(ge=1)]
    lasting: Duration
    horizon: Duration


class Cycles(Table, frozen=True):
    """Cycles that do not come or do not end."""

    late: Duration
    overrun_intervals: Annotated[int, Meta(ge=1)]
    overrun_slack: Duration
    stalled: Duration
    skipped_more_than: Count


class Absent(Table, frozen=True):
    """A daemon that does not answer."""

    lasting: Duration


class Restarts(Table, frozen=True):
    """A daemon that starts again and again."""

    more_than: Count


class Store(Table, frozen=True):
    """The store and its disk."""

    unwritable: Duration
    limit_bytes: Annotated[int, Meta(ge=1)]
    limit_horizon: Duration
    least_free_bytes: Count
    free_horizon: Duration


class Live(Table, frozen=True):
    """Live clients that cannot follow."""

    dropped_more_than: Count


PipelineName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]


class Thresholds(Table, frozen=True):
    """All settings."""

    target: Target
    links: Links
    intervals: dict[PipelineName, Duration]
    authentication: Authentication
    source_blocked: Consecutive
    source_failing: Consecutive
    failures_open: FailuresOpen
    no_success: NoSuccess
    error_budget: ErrorBudget
    items_failed: ItemsFailed
    retryable_collapsed: RetryableCollapsed
    unknown_share: UnknownShare
    retries: Retries
    cycles: Cycles
    absent: Absent
    restarts: Restarts
    store: Store
    live: Live


def load(text: str | None = None) -> Thresholds:
    """The settings of the file, or of a TOML text. Raises `msgspec.ValidationError` naming the place."""
    return msgspec.toml.decode(FILE.read_text() if text is None else text, type=Thresholds)


def settings(text: str | None = None) -> set[str]:
    """The names of all settings, as `table.key`."""
    lines = (FILE.read_text() if text is None else text).splitlines()
    found, table = set(), ""
    for line in lines:
        if header := re.match(r"\[(\w+)\]", line):
            table = header[1]
        elif key := re.match(r"(\w+) =", line):
            found.add(f"{table}.{key[1]}")
    return found
