"""The arguments of the commands that operate a running daemon, and of shell completion."""

from __future__ import annotations

from argparse import SUPPRESS
from typing import TYPE_CHECKING

from daemon.cli.completion import SHELLS
from daemon.cli.options import command, json, limit, where
from daemon.taxonomy import CATEGORY_ALIASES, Category, FileStatus

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from daemon.cli.options import Commands


def add_pipelines(commands: Commands) -> None:
    parser = command(
        commands,
        "pipelines",
        "list pipelines with their next cycle and what they wait for; pause and resume them",
        "Asks the daemon that runs. A pause lasts until it is taken back, also over a restart.",
        "`triaged run PIPELINE --url URL` runs a cycle now.",
        "",
        "example:  triaged pipelines list",
        "example:  triaged pipelines pause ingest",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _finish(command(actions, "list", "list all pipelines"))
    for name, about in (
        ("pause", "let no cycle begin by itself; what runs goes on"),
        ("resume", "let cycles begin again"),
    ):
        action = command(actions, name, about)
        action.add_argument("pipeline", metavar="PIPELINE")
        _finish(action)


def add_files(commands: Commands) -> None:
    parser = command(
        commands,
        "files",
        "list the files of an ingestion; retry, quarantine, ignore or release them",
        "Asks the daemon that runs. Quarantine copies files aside; it and ignoring last until files",
        "are released.",
        "",
        "example:  triaged files list",
        "example:  triaged files list orders --status failed",
        "example:  triaged files retry orders 2026/orders-31.csv",
        "example:  triaged files ignore orders 2026/orders-31.csv",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = command(actions, "list", "list files by path; without an ingestion, the ingestions")
    listing.add_argument("ingestion", metavar="INGESTION", nargs="?")
    statuses, categories = [*map(str, FileStatus)], [*map(str, Category), *CATEGORY_ALIASES]
    for option, choices in (("--status", statuses), ("--category", categories)):
        about = f"one of {', '.join(choices)}"
        listing.add_argument(option, metavar=option[2].upper(), choices=choices, help=about)
    listing.add_argument("--q", metavar="TEXT", help="text in the path, in any case")
    limit(listing, "files", "20")
    _finish(listing)
    retry = _decision(actions, "retry", "read files again, or without a path all that failed", "*")
    retry.add_argument("--yes", action="store_true", help="do not ask")
    _decision(actions, "quarantine", "copy files aside, and leave them alone", "+")
    _decision(actions, "ignore", "leave files alone, changed or not", "+")
    _decision(actions, "release", "bring back files that were set aside or ignored", "+")


def _decision(actions: Commands, name: str, about: str, paths: str) -> ArgumentParser:
    parser = command(actions, name, about)
    parser.add_argument("ingestion", metavar="INGESTION")
    parser.add_argument(
        "paths", metavar="PATH", nargs=paths, help="as `triaged files list` shows it"
    )
    _finish(parser)
    return parser


def add_rejected(commands: Commands) -> None:
    parser = command(
        commands,
        "rejected",
        "show the rejected rows of an ingestion, or write them to fix and load again",
        "Asks the daemon that runs, with a key of the role operate if there are keys. What --csv and",
        "--jsonl write is loaded once it is fixed and put into the folder of the ingestion.",
        "",
        "example:  triaged rejected orders --path 2026/orders-31.csv",
        "example:  triaged rejected orders --csv > fix-me.csv",
    )
    parser.add_argument("ingestion", metavar="INGESTION")
    parser.add_argument("--path", metavar="PATH", help="only of the file at this path")
    parser.add_argument(
        "--cause", metavar="CAUSE", help="only of this cause, as rows are shown with"
    )
    limit(parser, "rows", "20; --csv, --jsonl: all")
    forms = parser.add_mutually_exclusive_group()
    json(forms, "JSON Lines, each with a row and its reason")
    forms.add_argument("--csv", action="store_true", help="the rows as CSV")
    forms.add_argument("--jsonl", action="store_true", help="the rows as JSON Lines, as they came")
    where(parser)


def add_completion(commands: Commands) -> None:
    parser = command(
        commands,
        "completion",
        "print a script that completes commands and options in a shell",
        "",
        "example:  triaged completion bash > ~/.local/share/bash-completion/completions/triaged",
        "example:  triaged completion zsh > ~/.zfunc/_triaged",
        "example:  triaged completion fish > ~/.config/fish/completions/triaged.fish",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.add_argument("words", nargs="*", help=SUPPRESS)  # what the script asks with


def _finish(parser: ArgumentParser) -> None:
    json(parser, "JSON Lines")
    where(parser)
