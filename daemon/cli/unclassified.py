"""`triaged unclassified`: messages that no rule recognises, with rules to start from."""

from __future__ import annotations

from argparse import Namespace

from api.schemas.unclassified import UnclassifiedGroup
from daemon.cli import terminal
from daemon.cli.filters import DEFAULT_LIMIT, unclassified_filter
from daemon.cli.known import require_known
from daemon.cli.main import Exit
from daemon.cli.reading import Found, open_reader
from daemon.cli.tables import messages_table

HINT = (
    "Paste a rule into the file that triage.rules in the configuration names, choose its category, "
    "and try it with `triaged rules test FILE`."
)


def run(args: Namespace) -> int:
    """Shows groups of unmatched messages, those with the most failures first."""
    with open_reader(args) as reader:
        wanted = unclassified_filter(args)
        found = reader.unclassified(wanted, args.limit or DEFAULT_LIMIT)
        if not found.total:
            require_known(reader, wanted)
        if args.json:
            terminal.write_json(found.records)
        elif args.toml:
            _print_rules(list(found.records))
        else:
            _show(found)
    return Exit.SUCCESS


def _show(found: Found[UnclassifiedGroup]) -> None:
    console = terminal.make_console()
    groups = list(found.records)
    if not groups:
        console.print("Every failure is recognised by a rule.")
        return
    console.print(messages_table(groups))
    console.print(terminal.summary("group", len(groups), found.total), style="dim")
    console.print()
    _print_rules(groups)
    console.print(HINT, style="dim")


def _print_rules(groups: list[UnclassifiedGroup]) -> None:
    """As TOML, in which everything from outside is escaped."""
    for group in groups:
        if group.proposed_rule is not None:
            print(f"# Seen {group.count} times, last {group.last_seen:%Y-%m-%d %H:%M} UTC.")
            print(group.proposed_rule)
