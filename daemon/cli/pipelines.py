"""`triaged pipelines`: how the pipelines of a running daemon stand, and pausing and resuming them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from urllib.parse import quote

from rich.table import Table
from rich.text import Text

from api.pipelines import PipelineInfo, PipelineList
from daemon.cli import terminal
from daemon.cli.asking import ask_about
from daemon.cli.client import make_client
from daemon.cli.main import Exit
from daemon.cli.terminal import cell, interval, local, stacked
from daemon.store.runs import RunFilter

PATH = "/api/pipelines"


def run(args: Namespace) -> int:
    """Lists, pauses or resumes."""
    client = make_client(args)
    if args.action == "list":
        pipelines = client.get(PATH, PipelineList).pipelines
    else:
        with ask_about(client, RunFilter(pipeline=args.pipeline)):
            path = f"{PATH}/{quote(args.pipeline, safe='')}/{args.action}"
            pipelines = [client.post(path, PipelineInfo)]
    if args.json:
        terminal.write_json(pipelines)
    else:
        terminal.make_console().print(_table(pipelines))
    return Exit.SUCCESS


def _table(pipelines: Iterable[PipelineInfo]) -> Table:
    table = terminal.make_table(
        *("Pipeline", "Schedule", "Stands", "Next", "Sources"), fixed=("Pipeline", "Sources")
    )
    for pipeline in pipelines:
        table.add_row(
            cell(pipeline.name, "bold"),
            _schedule(pipeline),
            _standing(pipeline),
            "" if pipeline.next_run_at is None else local(pipeline.next_run_at),
            _sources(pipeline),
        )
    return table


def _schedule(pipeline: PipelineInfo) -> str:
    if pipeline.cron is not None:
        return f"at {pipeline.cron} (UTC)"
    every = pipeline.interval_seconds
    return "on demand" if every is None else f"every {interval(every)}"


def _standing(pipeline: PipelineInfo) -> Text:
    queued = pipeline.queued.count
    return stacked(
        cell("paused" if pipeline.paused else "", "yellow"),
        cell("running" if pipeline.running else "", "cyan"),
        cell(f"{queued} queued" if queued else ""),
    )


def _sources(pipeline: PipelineInfo) -> Text:
    """Each source, with why cycles leave it out if they do."""
    waiting = {source.source: source for source in pipeline.waiting}
    lines = []
    for source in pipeline.sources:
        held = waiting.get(source.name)
        until = f" until {local(held.until)}" if held and held.until else ""
        why = f" ({held.reason}: {held.error_category}{until})" if held else ""
        lines.append(cell(f"{source.name}{why if source.enabled else ' (disabled)'}"))
    return stacked(*lines)
