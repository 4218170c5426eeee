"""`triaged unclassified`: messages that no rule recognises, for those who write rules."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from itertools import islice

from api.schemas.groups import FailureGroup
from daemon.cli import terminal
from daemon.cli.filters import DEFAULT_LIMIT, unclassified_filter
from daemon.cli.main import Exit
from daemon.cli.reading import ALL, Reader, open_reader
from daemon.cli.tables import messages_table
from daemon.store.filters import FailureFilter
from daemon.triage.rules import UNMATCHED

HINT = (
    "A rule of your own names such a message: see triage.rules in the configuration, and try it "
    "with `triaged classify --rules FILE MESSAGE`."
)


def run(args: Namespace) -> int:
    """Shows groups of unmatched messages, those with the most open failures first."""
    limit = args.limit or DEFAULT_LIMIT
    with open_reader(args) as reader:
        groups = islice(unmatched(reader, unclassified_filter(args)), limit)
        if args.json:
            terminal.write_json(groups)
        else:
            _show(list(groups), limit)
    return Exit.SUCCESS


def unmatched(reader: Reader, wanted: FailureFilter) -> Iterator[FailureGroup]:
    """The groups that no rule matched; a rule may say `unknown` too, and those are left out."""
    return (g for g in reader.groups(wanted, ALL).records if g.rule == UNMATCHED.name)


def _show(groups: list[FailureGroup], limit: int) -> None:
    console = terminal.make_console()
    if not groups:
        console.print("Every failure is recognised by a rule.")
        return
    console.print(messages_table(groups))
    if len(groups) == limit:
        console.print(
            f"Perhaps there are more than these {limit}: --limit shows them.", style="dim"
        )
    console.print(HINT, style="dim")
