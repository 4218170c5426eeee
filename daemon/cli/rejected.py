"""`triaged rejected`: the rejected rows of an ingestion, to look at or to fix and load again."""

from __future__ import annotations

from argparse import Namespace

from api.rejected import RejectedRow, RejectedRowList
from daemon.cli import csv_output, terminal
from daemon.cli.asking import ask_about
from daemon.cli.client import Client, make_client
from daemon.cli.files import path_of
from daemon.cli.filters import DEFAULT_LIMIT
from daemon.cli.ingestion_tables import rejected_table
from daemon.cli.main import Exit
from daemon.cli.reading import Cursor, Found, Page, follow
from daemon.store.runs import RunFilter


def run(args: Namespace) -> int:
    """Shows rows, or writes them as a file."""
    client = make_client(args)
    with ask_about(client, RunFilter(source=args.ingestion)):
        if args.csv or args.jsonl:
            chunks = client.stream(
                f"{path_of(args)}/rejected",
                path=args.path,
                cause=args.cause,
                format="csv" if args.csv else "jsonl",
            )
            csv_output.write(chunks, None)
            return Exit.SUCCESS
        found = _rows(client, args)
        if args.json:
            terminal.write_json(found.records)
            return Exit.SUCCESS
        shown = list(found.records)
    console = terminal.make_console()
    if shown:
        console.print(rejected_table(shown))
    console.print(terminal.summary("row", len(shown), found.total), style="dim")
    return Exit.SUCCESS


def _rows(client: Client, args: Namespace) -> Found[RejectedRow]:
    query = {"path": args.path, "cause": args.cause, "format": "json"}

    def page(size: int, cursor: Cursor) -> Page[RejectedRow]:
        path = f"{path_of(args)}/rejected"
        answer = client.get(path, RejectedRowList, **query, limit=size, cursor=cursor)
        return Page(answer.rows, answer.next_cursor, answer.total_rows)

    return follow(page, args.limit or DEFAULT_LIMIT)
