"""What rules ask of an error beside its text, and what an error has of it: kinds with values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from daemon import events
from daemon.triage.rules.rule import Rule


class ErrorFacts(NamedTuple):
    """What is known of an error beside its text."""

    exception_type: str | None = None
    exception_bases: tuple[str, ...] = ()
    http_status: int | None = None
    errno: int | None = None
    sqlstate: str | None = None
    error_class: str | None = None
    imap_code: str | None = None

    @classmethod
    def of(cls, error: events.ErrorInfo) -> ErrorFacts:
        return cls(
            error.exception_type,
            error.exception_bases,
            error.http_status,
            error.errno,
            error.sqlstate,
            error.error_class,
            error.imap_code,
        )


NO_FACTS = ErrorFacts()


def kinds_of(rule: Rule) -> frozenset[str]:
    """The kinds of structured facts that it states."""
    return frozenset(kind for kind, _ in conditions_of(rule))


def conditions_of(rule: Rule) -> Iterator[tuple[str, object]]:
    """Kind and value of each structured fact that it asks for."""
    yield from (("exceptions", name) for name in rule.exceptions)
    yield from (("http_status", status) for status in rule.http_statuses())
    yield from (("errno", number) for number in rule.errno_values())
    yield from (("sqlstate", beginning.upper()) for beginning in rule.sqlstate)
    yield from (("error_class", name.upper()) for name in rule.error_class)
    yield from (("imap_code", code.upper()) for code in rule.imap_code)


def facts_of(error: ErrorFacts) -> Iterator[tuple[str, object]]:
    """Kind and value of each structured fact, as rules ask for it."""
    if error.exception_type:
        for name in (error.exception_type, *error.exception_bases):
            yield "exceptions", name
            if "." in name:
                yield "exceptions", name.rpartition(".")[2]
    if error.http_status is not None:
        yield "http_status", error.http_status
    if error.errno is not None:
        yield "errno", error.errno
    if error.sqlstate:
        state = error.sqlstate.upper()
        yield from (("sqlstate", state[:length]) for length in range(1, len(state) + 1))
    if error.error_class:
        yield "error_class", error.error_class.upper()
    if error.imap_code:
        yield "imap_code", error.imap_code.upper()
