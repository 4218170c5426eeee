"""`triaged failures`: what failed, with advice, from a running daemon or a stopped one's store."""

from __future__ import annotations

from argparse import Namespace

from api.schemas.failures import FailureDetail
from api.schemas.groups import FailureGroup
from daemon.cli import csv_output, terminal
from daemon.cli.filters import DEFAULT_LIMIT, failure_filter
from daemon.cli.main import Exit
from daemon.cli.reading import ALL, AnyReader, Found, open_reader
from daemon.cli.tables import failures_table, groups_table
from daemon.errors import ConfigError, Problem
from daemon.store.filters import FailureFilter
from daemon.taxonomy import GroupState


def run(args: Namespace) -> int:
    """Shows failures or, with `--groups`, failure groups."""
    wanted = failure_filter(args)
    if args.state and not args.groups:
        raise ConfigError([Problem("--state", "is for groups: add --groups")])
    with open_reader(args) as reader:
        if args.groups:
            _show_groups(args, reader, wanted)
        elif args.csv:
            csv_output.write(reader.failures_csv(wanted), args.limit)
        elif args.json:
            terminal.write_json(reader.failures(wanted, args.limit or DEFAULT_LIMIT).records)
        else:
            show_failures(reader.failures(wanted, args.limit or DEFAULT_LIMIT))
    return Exit.SUCCESS


def show_failures(found: Found[FailureDetail]) -> None:
    """Prints failures as a table."""
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(failures_table(shown, console.width))
    console.print(terminal.summary("failure", len(shown), found.total), style="dim")


def _show_groups(args: Namespace, reader: AnyReader, wanted: FailureFilter) -> None:
    state = GroupState(args.state) if args.state else None
    if args.csv:
        found = reader.groups(wanted, args.limit or ALL, state)
        terminal.write_csv(found.records, FailureGroup)
        return
    found = reader.groups(wanted, args.limit or DEFAULT_LIMIT, state)
    if args.json:
        terminal.write_json(found.records)
        return
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(groups_table(shown, console.width))
    console.print(terminal.summary("group", len(shown), found.total), style="dim")
