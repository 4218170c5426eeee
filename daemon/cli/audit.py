"""`triaged audit`: who did what, from a running daemon or a stopped one's store."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable

from rich.table import Table

from api.schemas.audit import AuditEntry
from daemon.cli import csv_output, terminal
from daemon.cli.filters import DEFAULT_LIMIT, audit_filter
from daemon.cli.main import Exit
from daemon.cli.reading import open_reader


def run(args: Namespace) -> int:
    """Shows entries of the audit trail, newest first."""
    wanted = audit_filter(args)
    with open_reader(args) as reader:
        if args.csv:
            csv_output.write(reader.audit_csv(wanted), args.limit)
            return Exit.SUCCESS
        found = reader.audit(wanted, args.limit or DEFAULT_LIMIT)
        if args.json:
            terminal.write_json(found.records)
            return Exit.SUCCESS
        entries = list(found.records)
    console = terminal.make_console()
    if entries:
        console.print(_table(entries))
    console.print(terminal.summary("entry", len(entries), found.total, "entries"), style="dim")
    return Exit.SUCCESS


def _table(entries: Iterable[AuditEntry]) -> Table:
    table = terminal.make_table(
        *("Time", "By", "Action", "Subject", "Outcome", "Details"), fixed=("Time", "Outcome")
    )
    for entry in entries:
        outcome = entry.outcome if entry.reason is None else f"{entry.outcome}: {entry.reason}"
        table.add_row(
            terminal.cell(terminal.local(entry.at)),
            terminal.cell(entry.by, "bold"),
            terminal.cell(entry.action),
            terminal.cell(entry.subject),
            terminal.cell(outcome, terminal.STYLES.get(entry.outcome, "")),
            terminal.cell(entry.details, "dim"),
        )
    return table
