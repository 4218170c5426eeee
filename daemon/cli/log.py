"""`triaged log`: the log of a run, from a running daemon or a stopped one's store."""

from __future__ import annotations

from argparse import Namespace

from daemon.cli import terminal
from daemon.cli.main import Exit
from daemon.cli.reading import open_reader
from daemon.cli.terminal import cell, in_line, local
from daemon.store.runs import LogLine


def run(args: Namespace) -> int:
    """Shows every line, oldest first."""
    with open_reader(args) as reader:
        if args.json:
            terminal.write_json(reader.log(args.run_id))
            return Exit.SUCCESS
        console = terminal.make_console()
        for line in reader.log(args.run_id):
            console.print(_shown(line), soft_wrap=True)
    return Exit.SUCCESS


def _shown(line: LogLine) -> object:
    failure = "" if line.failure_id is None else f"failure {line.failure_id}"
    return in_line(
        cell(local(line.time), "dim"),
        cell(line.event, "bold"),
        cell(line.status, terminal.STYLES.get(line.status or "", "")),
        cell(failure),
        cell(line.error_category),
        cell(line.file_path),
        cell(line.text),
    )
