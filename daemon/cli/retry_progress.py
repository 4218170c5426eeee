"""Follows a retry operation: a bar on a terminal, elsewhere a line for each change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.schemas.retries import RetryOperation
from daemon.cli import terminal
from daemon.cli.client import RequestRefused, Unreachable

LOOK_SECONDS = 0.5
_UNAVAILABLE = 503


def follow(
    look: Callable[[], RetryOperation], operation: RetryOperation, *, quiet: bool
) -> RetryOperation:
    """The operation once it has ended. A daemon that is away is waited for: it goes on after that."""
    if quiet or not sys.stderr.isatty():
        return _follow_lines(look, operation, quiet=quiet)
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=operation.totals.to_retry)
        while operation.ended_at is None:
            time.sleep(LOOK_SECONDS)
            operation, text = _next(look, operation)
            shown = terminal.printable(text)
            bar.update(task, description=shown, completed=operation.totals.done)
    return operation


def _follow_lines(
    look: Callable[[], RetryOperation], operation: RetryOperation, *, quiet: bool
) -> RetryOperation:
    said = ""
    while operation.ended_at is None:
        time.sleep(LOOK_SECONDS)
        operation, text = _next(look, operation)
        line = f"{operation.totals.done}/{operation.totals.to_retry} {terminal.printable(text)}"
        if line != said and not quiet:
            print(line, file=sys.stderr, flush=True)
        said = line
    return operation


def _next(
    look: Callable[[], RetryOperation], operation: RetryOperation
) -> tuple[RetryOperation, str]:
    """The operation as it is now, or as it was when the daemon still answered, and what it does."""
    try:
        now = look()
    except Unreachable:
        return operation, "waits for the daemon to answer"
    except RequestRefused as error:
        if error.status != _UNAVAILABLE:
            raise
        return operation, "waits for the daemon's store"
    return now, now.state_text or ""
