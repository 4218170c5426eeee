"""`triaged failures`: what failed, with advice, from a running daemon or a stopped one's store."""

from __future__ import annotations

from argparse import Namespace
from itertools import chain, islice

from msgspec.structs import replace

from api.schemas.failures import FailureDetail
from api.schemas.groups import FailureGroup
from daemon.cli import csv_output, terminal
from daemon.cli.filters import DEFAULT_LIMIT, failure_filter
from daemon.cli.known import require_known
from daemon.cli.main import Exit
from daemon.cli.options import ANY
from daemon.cli.reading import ALL, AnyReader, Found, open_reader
from daemon.cli.tables import failures_table, groups_table
from daemon.errors import ConfigError, Problem
from daemon.store.filters import FailureFilter
from daemon.taxonomy import FailureStatus, GroupState

_STANDING = (GroupState.REGRESSED, GroupState.OPEN)
"""The groups that somebody has to look at, the worst first."""


def run(args: Namespace) -> int:
    """Shows failures or, with `--groups`, failure groups."""
    if args.groups:
        return list_groups(args)
    if args.state:
        raise ConfigError([Problem("--state", "is for groups: add --groups")])
    wanted = failure_filter(args)
    with open_reader(args) as reader:
        if not reader.failures(wanted, 1).total:
            require_known(reader, wanted)
        if args.csv:
            csv_output.write(reader.failures_csv(wanted), args.limit)
        elif args.json:
            terminal.write_json(reader.failures(wanted, args.limit or DEFAULT_LIMIT).records)
        else:
            _show_failures(args, reader, wanted)
    return Exit.SUCCESS


def _show_failures(args: Namespace, reader: AnyReader, wanted: FailureFilter) -> None:
    """As a table: what is open, unless another status is asked for, and how many others there are."""
    shown = wanted if args.status else replace(wanted, status=FailureStatus.OPEN)
    found = reader.failures(shown, args.limit or DEFAULT_LIMIT)
    show_failures(found)
    others = 0 if args.status else reader.failures(wanted, 1).total - found.total
    _show_others(others, "--status", found.total)


def show_failures(found: Found[FailureDetail]) -> None:
    """Prints failures as a table."""
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(failures_table(shown, console.width))
    console.print(terminal.summary("failure", len(shown), found.total), style="dim")


def _show_others(count: int, option: str, total: int) -> None:
    if count > 0:
        what = "more" if total else "that are dealt with or tried again"
        text = f"Open ones only: {terminal.number(count)} {what} with {option} {ANY}."
        terminal.make_console().print(text, style="dim")


def list_groups(args: Namespace) -> int:
    """Shows failure groups: as a table those with something open, unless another state is asked for."""
    wanted = failure_filter(args)
    state = GroupState(args.state) if args.state not in (None, ANY) else None
    with open_reader(args) as reader:
        everything = reader.groups(
            wanted, args.limit or (ALL if args.csv else DEFAULT_LIMIT), state
        )
        if not everything.total:
            require_known(reader, wanted)
        if args.csv:
            terminal.write_csv(everything.records, FailureGroup)
        elif args.json:
            terminal.write_json(everything.records)
        elif args.state or args.status:
            _show_groups(everything)
        else:
            standing = _standing(reader, wanted, args.limit or DEFAULT_LIMIT)
            _show_groups(standing)
            _show_others(everything.total - standing.total, "--state", standing.total)
    return Exit.SUCCESS


def _standing(reader: AnyReader, wanted: FailureFilter, limit: int) -> Found[FailureGroup]:
    found = [reader.groups(wanted, limit, state) for state in _STANDING]
    records = chain.from_iterable(one.records for one in found)
    return Found(sum(one.total for one in found), islice(records, limit))


def _show_groups(found: Found[FailureGroup]) -> None:
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(groups_table(shown, console.width))
    console.print(terminal.summary("group", len(shown), found.total), style="dim")
