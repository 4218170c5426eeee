"""`triaged files`: the files of an ingestion, and what a person decides about them."""

from __future__ import annotations

from argparse import Namespace
from urllib.parse import quote

from api.schemas.ingestions import (
    FileDecision,
    FileDetail,
    FileList,
    FilesToRetry,
    Ingestion,
    IngestionList,
)
from daemon.cli import terminal
from daemon.cli.asking import ask_about
from daemon.cli.client import Client, make_client
from daemon.cli.filters import DEFAULT_LIMIT, stored_category
from daemon.cli.ingestion_tables import files_table, ingestions_table
from daemon.cli.main import Exit, complain
from daemon.cli.reading import Cursor, Found, Page, follow
from daemon.store.runs import RunFilter

PATH = "/api/ingestions"


def run(args: Namespace) -> int:
    """Lists ingestions or files, or carries out a decision."""
    client = make_client(args)
    if args.ingestion is None:
        return _show_ingestions(client.get(PATH, IngestionList).ingestions, args)
    with ask_about(client, RunFilter(source=args.ingestion)):
        return _list(client, args) if args.action == "list" else _decide(client, args)


def path_of(args: Namespace) -> str:
    """Where the ingestion is that the arguments name."""
    return f"{PATH}/{quote(args.ingestion, safe='')}"


def _show_ingestions(found: list[Ingestion], args: Namespace) -> int:
    if args.json:
        terminal.write_json(found)
        return Exit.SUCCESS
    console = terminal.make_console()
    if found:
        console.print(ingestions_table(found))
    console.print(terminal.summary("ingestion", len(found), len(found)), style="dim")
    return Exit.SUCCESS


def _list(client: Client, args: Namespace) -> int:
    query = {"status": args.status, "category": stored_category(args.category), "q": args.q}

    def page(size: int, cursor: Cursor) -> Page[FileDetail]:
        path = f"{path_of(args)}/files"
        answer = client.get(path, FileList, **query, limit=size, cursor=cursor)
        return Page(answer.files, answer.next_cursor, answer.total_files)

    found: Found[FileDetail] = follow(page, args.limit or DEFAULT_LIMIT)
    if args.json:
        terminal.write_json(found.records)
        return Exit.SUCCESS
    console = terminal.make_console()
    shown = list(found.records)
    if shown:
        console.print(files_table(shown))
    console.print(terminal.summary("file", len(shown), found.total), style="dim")
    return Exit.SUCCESS


def _decide(client: Client, args: Namespace) -> int:
    """Retries are asked about first; the other decisions can be taken back."""
    which = " ".join(args.paths) or f"all files of {args.ingestion} that failed"
    question = f"Read {terminal.printable(which)} again?"
    if args.action == "retry" and not args.yes and not terminal.confirmed(question):
        return complain(Exit.SUCCESS, "nothing was changed")
    body = FilesToRetry(paths=args.paths or None)
    decision = client.post(f"{path_of(args)}/files/{args.action}", FileDecision, body)
    if args.json:
        terminal.write_json([decision])
        return Exit.SUCCESS
    for path in decision.paths:
        print(terminal.printable(path))
    print(_outcome(decision, args.action))
    return Exit.SUCCESS


def _outcome(decision: FileDecision, action: str) -> str:
    files = terminal.counted(decision.count, "file")
    match action:
        case "quarantine":
            return f"{files} set aside."
        case "ignore":
            return f"{files} ignored."
    if not decision.count:
        return "No files failed."
    when = "a run has begun" if decision.started else "the next cycle takes them"
    return f"{files} to be read again: {when}."
