"""`triaged run`: one cycle now, in this process with neither scheduler nor API, or in a running daemon."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from argparse import Namespace
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live

from api.schemas.failures import FailureDetail
from api.schemas.runs import RunDetail
from daemon import logs
from daemon.cli import terminal
from daemon.cli.addresses import place_of, url_of
from daemon.cli.asked_cycle import AskedCycle
from daemon.cli.changes import Changes, left_open
from daemon.cli.client import make_client
from daemon.cli.main import Exit, complain, leave, tell
from daemon.cli.one_cycle import WatchedCycle
from daemon.cli.reading import ALL
from daemon.cli.tables import active_table, failures_table, runs_table
from daemon.config import Settings
from daemon.errors import Conflict, NotFound, StoreLocked
from daemon.pipelines.catalog import Catalog, Registered, Source
from daemon.pipelines.kinds import load_settings
from daemon.service import Daemon
from daemon.taxonomy import RunStatus
from daemon.triage import Triage

SHOWN_FAILURES = 20


class RunLine(msgspec.Struct, frozen=True):
    """A line of `--json` about a run."""

    run: RunDetail


class FailureLine(msgspec.Struct, frozen=True):
    """A line of `--json` about a failure."""

    failure: FailureDetail


def run(args: Namespace) -> int:
    """Runs one cycle and shows what came of it."""
    place = place_of(args)
    return _ask(args, place) if isinstance(place, str) else _run_here(args, place)


def _ask(args: Namespace, url: str) -> int:
    """In the daemon at `url`; Ctrl-C leaves it running there."""
    cycle = AskedCycle(make_client(args, url), args.pipeline, args.source)
    try:
        _follow(cycle, quiet=args.json)
    except KeyboardInterrupt:
        return complain(Exit.INTERRUPTED, "the cycle goes on: `triaged watch` shows it")
    tell(partial(_write if args.json else _show, cycle))
    return Exit.SUCCESS if cycle.outcome is RunStatus.SUCCESS else Exit.FAILURES


def _run_here(args: Namespace, config: Path) -> int:
    """In this process, which it ends."""
    settings = load_settings(config)
    os.chdir(settings.base)  # own functions find their files from there, as settings do
    logs.configure("error", settings.config.log.format, Triage.mask)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    daemon = _open(settings, args)
    try:
        pipeline, sources = chosen(daemon.catalog, args.pipeline, args.source)
        cycle = WatchedCycle(daemon, pipeline, sources)
        code = _carry_out(cycle, settings.config.server.grace, quiet=args.json)
        tell(partial(_write if args.json else _show, cycle))
    finally:
        lost = daemon.stop(0)
    if lost:
        code = complain(Exit.FAILURES, f"{lost} events could not be stored")
    leave(code)
    return code


def _open(settings: Settings, args: Namespace) -> Daemon:
    try:
        return Daemon(settings)
    except StoreLocked as error:
        body = msgspec.json.encode({"source": args.source} if args.source else {}).decode()
        url = f"{url_of(settings.config.server.listen)}/api/pipelines/{args.pipeline}/run"
        words = [args.pipeline, *([args.source] if args.source else [])]
        json = "-H 'Content-Type: application/json'"
        raise StoreLocked(
            f"{error}\nIf that one is `triaged serve`, ask it to run the cycle:\n"
            f"  triaged run {shlex.join(words)} --url {url_of(settings.config.server.listen)}\nor, "
            f"without waiting for its end:\n  curl -X POST {shlex.quote(url)} {json} -d {shlex.quote(body)}"
        ) from error


def chosen(catalog: Catalog, pipeline: str, source: str | None) -> tuple[Registered, list[Source]]:
    """What to run. Raises `NotFound`, `Conflict`."""
    registered = catalog.pipelines.get(pipeline)
    if registered is None:
        known = ", ".join(catalog.pipelines) or "none"
        raise NotFound(
            f"there is no pipeline {pipeline!r} in the configuration, which has: {known}"
        )
    if source is None:
        enabled = [found for found in registered.sources.values() if found.enabled]
        if not enabled:
            raise Conflict(f"the pipeline {pipeline} has no source that is enabled")
        return registered, enabled
    if source not in registered.sources:
        known = ", ".join(registered.sources) or "none"
        raise NotFound(f"the pipeline {pipeline} has no source {source!r}; it has: {known}")
    return registered, [registered.sources[source]]


def _carry_out(cycle: WatchedCycle, grace: float, *, quiet: bool) -> Exit:
    """Runs the cycle to its end, or to Ctrl-C; a second one ends at once."""
    try:
        try:
            cycle.start()
            _follow(cycle, quiet=quiet)
        except KeyboardInterrupt:
            said = f"stopping; runs have {grace:g} s to end. Ctrl-C again ends at once"
            complain(Exit.INTERRUPTED, said)
            cycle.stop(grace)
            return Exit.INTERRUPTED
    except KeyboardInterrupt:
        leave(Exit.INTERRUPTED)
    return Exit.SUCCESS if cycle.outcome is RunStatus.SUCCESS else Exit.FAILURES


def _follow(cycle: WatchedCycle | AskedCycle, *, quiet: bool) -> None:
    """Shows progress until the cycle has ended: bars on a terminal, else a line for each change."""
    if sys.stderr.isatty():
        screen = Console(stderr=True, markup=False, highlight=False, emoji=False)
        with Live(console=screen, transient=True, auto_refresh=False) as live:
            while not cycle.wait(cycle.tick):
                live.update(active_table(cycle.active(), screen.width), refresh=True)
        return
    changes = Changes()
    ended = False
    while not ended:
        ended = cycle.wait(cycle.tick)
        if not quiet:
            for line in chain(changes.started(cycle.active()), changes.ended(cycle.ended())):
                tell(partial(print, line, flush=True))


def _write(cycle: WatchedCycle | AskedCycle) -> None:
    terminal.write_json(map(RunLine, cycle.runs()))
    terminal.write_json(map(FailureLine, cycle.failures(ALL).records))


def _show(cycle: WatchedCycle | AskedCycle) -> None:
    console = terminal.make_console()
    runs = list(cycle.runs())
    console.print(runs_table(runs, console.width))
    console.print()
    for run in runs:
        if said := left_open(run):
            console.print(f"{run.pipeline}/{run.source}{said}")
    found = cycle.failures(SHOWN_FAILURES)
    if found.total:
        console.print(failures_table(found.records, console.width))
    if found.total > SHOWN_FAILURES:
        console.print(
            f"{terminal.number(SHOWN_FAILURES)} of {terminal.number(found.total)} failures; "
            "`triaged failures` shows all.",
            style="dim",
        )
