"""`triaged classify`: what kind of failure a message is, one by one or as JSON Lines."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from daemon.cli.explanation import show_explanation
from daemon.cli.main import Exit, complain
from daemon.cli.rules import own_rules
from daemon.cli.terminal import printable, write_line
from daemon.errors import TriagedError
from daemon.taxonomy import RunState
from daemon.triage import Triage, describe
from daemon.triage.assessment import Assessment
from daemon.triage.explain import Explanation, explain
from daemon.triage.facts import builtin_bases


class Unreadable(TriagedError):
    """The input cannot be read."""

    exit_code = Exit.FAILURES


class Given(msgspec.Struct, frozen=True):
    """One line of input. Other keys are left alone."""

    message: str
    id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """Given back as it is."""
    exception: str | None = None
    pipeline: str | None = None
    http_status: int | None = None
    errno: int | None = None
    sqlstate: str | None = None
    error_class: str | None = None
    imap_code: str | None = None


FACTS = ("http_status", "errno", "sqlstate", "error_class", "imap_code")


class Classified(msgspec.Struct, frozen=True):
    """One line of output."""

    id: msgspec.Raw | msgspec.UnsetType
    category: str
    group: str
    retryable: bool
    rule: str
    user_message: str
    suggested_action: str
    retry: str
    """yes, no or unknown."""
    retry_reason: str
    explanation: Explanation | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def of(
        cls,
        given: Given,
        assessment: Assessment,
        explanation: Explanation | msgspec.UnsetType,
    ) -> Classified:
        """What triage says of the line."""
        return cls(
            id=given.id,
            category=assessment.category,
            group=assessment.group,
            retryable=assessment.retryable,
            rule=assessment.rule,
            user_message=assessment.user_message,
            suggested_action=assessment.suggested_action,
            retry=assessment.retry,
            retry_reason=assessment.retry_reason,
            explanation=explanation,
        )


def run(args: Namespace) -> int:
    """Classifies a message, or every line of a file."""
    triage = Triage.load(own_rules(args))
    if args.jsonl is not None:
        with _opened(args.jsonl) as lines:
            return _classify_lines(triage, lines, args)
    with _opened("-") if args.message == "-" else _nothing() as text:
        message = text.read().decode("utf-8", "replace").strip() if text else args.message
    result = _classify(triage, Given(message), args)
    if args.json:
        write_line(msgspec.json.encode(result))
    else:
        _show(result)
    return Exit.SUCCESS


def _classify_lines(triage: Triage, lines: BinaryIO, args: Namespace) -> int:
    """One line out for each line in. A bad line is reported and the rest goes on."""
    decoder = msgspec.json.Decoder(Given)
    bad = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            given = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            bad += 1
            complain(Exit.FAILURES, f"line {number}: {_mistake(error)}")
            continue
        write_line(msgspec.json.encode(_classify(triage, given, args)))
    return Exit.FAILURES if bad else Exit.SUCCESS


def _mistake(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"{error}; expected an object with a `message`"
    return f"not valid JSON: {error}"


def _classify(triage: Triage, given: Given, args: Namespace) -> Classified:
    exception = given.exception or args.exception
    pipeline = given.pipeline or args.pipeline
    error = describe(
        given.message,
        exception_type=exception,
        exception_bases=builtin_bases(exception),
        **{name: _first(getattr(given, name), getattr(args, name)) for name in FACTS},
    )
    return Classified.of(
        given,
        triage.assess(error, pipeline=pipeline, step=RunState.IDLE),
        explain(triage.classifier, error, pipeline) if args.explain else msgspec.UNSET,
    )


def _first(*values: str | int | None) -> str | int | None:
    return next((value for value in values if value is not None), None)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = Path(name).open("rb")  # noqa: SIM115 closed below, so that only its opening is caught
    except OSError as error:
        raise Unreadable(f"{name} cannot be read: {error.strerror}") from None
    with file:
        yield file


@contextmanager
def _nothing() -> Iterator[None]:
    yield None


def _show(result: Classified) -> None:
    lines = {
        "category": f"{result.category} ({result.group})",
        "retryable": f"{result.retry}: {result.retry_reason}",
        "rule": result.rule,
        "what happened": result.user_message,
        "what to do": result.suggested_action,
    }
    for name, value in lines.items():
        print(f"{name:<14} {printable(value)}")
    if result.explanation is not msgspec.UNSET:
        show_explanation(result.explanation)
