"""From arguments to filters: the same ones that the API has."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timedelta

from daemon.cli.options import ANY
from daemon.clock import SystemClock
from daemon.config.values import Duration
from daemon.errors import ConfigError, Problem
from daemon.store.audit import AuditFilter
from daemon.store.filters import FailureFilter
from daemon.store.runs import RunFilter
from daemon.taxonomy import CATEGORY_ALIASES, Category

DEFAULT_LIMIT = 20


def failure_filter(args: Namespace) -> FailureFilter:
    """The failures that the arguments ask for. Raises `ConfigError`."""
    since, until = _range(args)
    return FailureFilter(
        pipeline=args.pipeline,
        source=args.source,
        category=stored_category(args.category),
        status=None if args.status == ANY else args.status,
        since=since,
        until=until,
        q=args.q,
        run_id=args.run_id,
        failure_group=args.failure_group,
    )


def run_filter(args: Namespace) -> RunFilter:
    """The runs that the arguments ask for. Raises `ConfigError`."""
    since, until = _range(args)
    return RunFilter(
        pipeline=args.pipeline,
        source=args.source,
        category=stored_category(args.category),
        status=args.status,
        since=since,
        until=until,
    )


def unclassified_filter(args: Namespace) -> FailureFilter:
    """Where the failures that no rule recognised are among."""
    since, until = _range(args)
    return FailureFilter(
        pipeline=args.pipeline, category=Category.UNKNOWN, since=since, until=until
    )


def audit_filter(args: Namespace) -> AuditFilter:
    """The entries of the audit trail that the arguments ask for."""
    since, until = _range(args)
    return AuditFilter(
        by=args.by, action=args.action, subject=args.subject, since=since, until=until, q=args.q
    )


def stored_category(name: str | None) -> str | None:
    """The category by the name that is stored."""
    return CATEGORY_ALIASES.get(name, name) if name else None


def _range(args: Namespace) -> tuple[datetime | None, datetime | None]:
    now = SystemClock().now()
    return moment("--since", args.since, now), moment("--until", args.until, now)


def moment(option: str, text: str | None, now: datetime) -> datetime | None:
    """A time as a person gives it: a moment (local unless it has an offset), or how long ago."""
    if text is None:
        return None
    try:
        return now - timedelta(seconds=Duration.parse(text))
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError, OSError):
        expected = "expected a time such as 2026-11-20T08:00, or how long ago, such as 90m or 7d"
        raise ConfigError([Problem(option, expected)]) from None
