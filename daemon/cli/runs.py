"""`triaged runs`: how runs ended, from a running daemon or a stopped one's store."""

from __future__ import annotations

from argparse import Namespace

from api.schemas.runs import RunDetail
from daemon.cli import terminal
from daemon.cli.filters import DEFAULT_LIMIT, run_filter
from daemon.cli.known import require_known
from daemon.cli.main import Exit
from daemon.cli.reading import ALL, Found, open_reader
from daemon.cli.tables import runs_table


def run(args: Namespace) -> int:
    """Shows runs."""
    wanted = run_filter(args)
    with open_reader(args) as reader:
        if not reader.runs(wanted, 1).total:
            require_known(reader, wanted)
        if args.csv:
            terminal.write_csv(reader.runs(wanted, args.limit or ALL).records, RunDetail)
        elif args.json:
            terminal.write_json(reader.runs(wanted, args.limit or DEFAULT_LIMIT).records)
        else:
            show_runs(reader.runs(wanted, args.limit or DEFAULT_LIMIT))
    return Exit.SUCCESS


def show_runs(found: Found[RunDetail]) -> None:
    """Prints runs as a table."""
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(runs_table(shown, console.width))
    console.print(terminal.summary("run", len(shown), found.total), style="dim")
