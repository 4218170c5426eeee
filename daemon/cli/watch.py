"""`triaged watch`: a running daemon live in the terminal."""

from __future__ import annotations

import signal
import time
from argparse import Namespace
from collections.abc import Iterable
from typing import NoReturn

import msgspec
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from api.schemas.failures import FailureDetail, FailureList
from api.schemas.status import CurrentStatus
from daemon.cli import terminal
from daemon.cli.changes import Changes, failure_line
from daemon.cli.client import Client, RequestRefused, Unreachable, make_client
from daemon.cli.main import Exit
from daemon.cli.tables import active_table, failing_table, failures_table, recent_table

POLL_SECONDS = 1.0
WAITS = (1.0, 2.0, 4.0, 8.0, 10.0)
"""Seconds between attempts to reach a daemon that is away; the last one goes on."""
FAILING = 5
"""Failing sources that are shown."""
RECENT = 8
"""Runs that are shown; more are asked for, so that none is missed between two looks."""
_ASKED = 50
_FAILURES = 20
_NOT_FOR_US = (400, 401, 403, 404, 421)
"""Answers that trying again does not change."""


class Seen(msgspec.Struct, frozen=True):
    """One look at the daemon."""

    status: CurrentStatus
    failures: FailureList
    """Newest first, those that are open."""


class Away(msgspec.Struct, frozen=True):
    """The daemon cannot be reached."""

    reason: str
    attempts: int

    @property
    def wait(self) -> float:
        """Seconds until the next attempt."""
        return WAITS[min(self.attempts, len(WAITS)) - 1]


def run(args: Namespace) -> int:
    """Watches until Ctrl-C."""
    client = make_client(args)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the screen is given back
    try:
        if terminal.is_terminal():
            _watch_screen(client)
        else:
            _watch_lines(client)
    except KeyboardInterrupt:
        return Exit.SUCCESS


def look(client: Client, before: Seen | Away | None) -> Seen | Away:
    """How the daemon stands now. Raises `RequestRefused` when it never will say."""
    try:
        status = client.get("/api/processing/current-status", CurrentStatus, recent_limit=_ASKED)
        failures = client.get(
            "/api/processing/failures", FailureList, status="open", limit=_FAILURES
        )
    except RequestRefused as error:
        if error.status in _NOT_FOR_US:
            raise
        reason = str(error)
    except Unreachable as error:
        reason = str(error).partition(". ")[0]
    else:
        return Seen(status, failures)
    return Away(reason, before.attempts + 1 if isinstance(before, Away) else 1)


def _watch_screen(client: Client) -> NoReturn:
    console = terminal.make_console()
    seen: Seen | None = None
    now: Seen | Away | None = None
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            now = look(client, now)
            if isinstance(now, Seen):
                seen = now
            live.update(view(console, client.url, seen, now), refresh=True)
            time.sleep(now.wait if isinstance(now, Away) else POLL_SECONDS)


def view(console: Console, url: str, seen: Seen | None, now: Seen | Away) -> RenderableType:
    """The whole screen: connection, active runs, recent runs, failures."""
    parts: list[RenderableType] = [_connection(url, now)]
    if seen is None:
        return Group(*parts)
    if isinstance(now, Away):
        parts.append(Text(f"This is how it was at {terminal.local(seen.status.timestamp)}:"))
    width, status = console.width, seen.status
    parts += [_title(f"Active runs: {len(status.active)}")]
    if status.active:
        active = sorted(status.active, key=lambda run: (run.pipeline, run.source))
        parts.append(active_table(active, width))
    parts += [_title(f"Failing sources: {terminal.number(status.failing_sources)}")]
    if status.failing:
        parts.append(failing_table(status.failing[:FAILING], width))
    parts += [_title("Recent runs"), recent_table(status.recent_runs[:RECENT], width)]
    parts += [_title(f"Open failures: {terminal.number(seen.failures.total_failures)}")]
    if seen.failures.failures:
        parts.append(failures_table(seen.failures.failures, width))
    return Group(*parts)


def _connection(url: str, now: Seen | Away) -> Text:
    if isinstance(now, Seen):
        text = Text("● connected ", style="green")
        text.append(f"{url}  {terminal.local(now.status.timestamp)}", style="default")
    else:
        text = Text("○ away ", style="red")
        again = f"; trying again every {now.wait:g} s"
        text.append_text(terminal.cell(now.reason + again, "default"))
    text.append("  Ctrl-C ends this", style="dim")
    return text


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _watch_lines(client: Client) -> NoReturn:
    changes = Changes()
    newest: int | None = None
    now: Seen | Away | None = None
    while True:
        before, now = now, look(client, now)
        if type(now) is not type(before):
            print(_connection(client.url, now).plain, flush=True)
        if isinstance(now, Seen):
            if newest is None:
                changes.skip(now.status.recent_runs)
                newest = _newest(now.failures.failures, 0)
            _say(now, changes, newest)
            newest = _newest(now.failures.failures, newest)
        time.sleep(now.wait if isinstance(now, Away) else POLL_SECONDS)


def _newest(failures: Iterable[FailureDetail], before: int) -> int:
    return max([before, *(failure.id for failure in failures)])


def _say(now: Seen, changes: Changes, newest: int) -> None:
    for line in changes.ended(now.status.recent_runs):
        print(line)
    new = [failure for failure in now.failures.failures if failure.id > newest]
    for failure in reversed(new):
        print(failure_line(failure))
    if len(new) == _FAILURES:
        print("there may be more failures: `triaged failures` shows them")
    for line in changes.started(now.status.active):
        print(line, flush=True)
