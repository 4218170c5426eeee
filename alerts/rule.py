"""What rules are made of: series, recordings and alerts."""

from __future__ import annotations

from enum import StrEnum
from textwrap import dedent

import msgspec

from alerts.thresholds import Thresholds

BY = "job, instance, pipeline"
"""The labels that tell one pipeline of one daemon from another."""


class Severity(StrEnum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    """Now: it pages."""
    WARNING = "warning"
    """In working hours: a ticket."""
    INFO = "info"
    """When somebody looks at the dashboards anyway."""


class Dashboard(StrEnum):
    """The dashboards that alerts lead to, by their uid."""

    OVERVIEW = "triaged-overview"
    SOURCES = "triaged-sources"
    FAILURES = "triaged-failures"
    PIPELINES = "triaged-pipelines"
    DAEMON = "triaged-daemon"


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A series that is computed at every evaluation."""

    name: str
    expr: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, before its links are made."""

    name: str
    expr: str
    severity: Severity
    summary: str
    """One sentence, the same for all that it fires for."""
    description: str
    """A template that names what it fires for."""
    advice: str
    """What to do first; may be a template."""
    cause: str = ""
    """What lies behind it, where that is known; may be a template."""
    dashboard: Dashboard
    detail: str
    """Path and query at the API that shows what it is about; a template."""
    lasting: str = ""
    """How long the condition has to hold before it fires."""
    keep_firing: str = ""
    """How long it goes on firing when the condition no longer holds."""
    labels: dict[str, str] = {}


class Group(msgspec.Struct, frozen=True):
    """Rules that are evaluated one after the other."""

    name: str
    rules: list[Recording] | list[Alert]


class Series:
    """Names series of the daemon, with the matchers that every rule has."""

    def __init__(self, thresholds: Thresholds) -> None:
        target = thresholds.target
        self._matchers = ", ".join(filter(None, [f'job="{target.job}"', target.matchers]))

    def __call__(self, name: str, *matchers: str) -> str:
        """The selector of a series with further matchers."""
        return f"{name}{{{', '.join([self._matchers, *matchers])}}}"


def expression(text: str) -> str:
    """An expression of several lines without the indentation of the code around it."""
    return dedent(text).strip()
