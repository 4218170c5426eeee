"""`triaged rules`: which rules there are, all of one, and whether they answer their examples."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import msgspec
from rich.table import Table

from daemon.cli import terminal
from daemon.cli.addresses import config_of
from daemon.cli.main import Exit, complain
from daemon.cli.rule_records import ListedLine, ShownRule
from daemon.cli.terminal import cell, make_table, number, printable
from daemon.errors import TriagedError
from daemon.pipelines.kinds import load_settings
from daemon.taxonomy import CATEGORY_ALIASES
from daemon.triage.rules.examples import CheckedExample, check_examples
from daemon.triage.rules.files import load_rules
from daemon.triage.rules.listing import ListedRule, listed_rules


class NoSuchRule(TriagedError):
    """There is no rule of that name."""

    exit_code = Exit.FAILURES


def run(args: Namespace) -> int:
    """Lists, shows or tests rules."""
    return {"list": _list, "show": _show, "test": _test}[args.action](args)


def own_rules(args: Namespace) -> Path | None:
    """The user's rule file, if one is named. Raises `ConfigError`."""
    named: Path | None = args.rules
    config = config_of(args)
    return load_settings(config).rules_path if named is None and config else named


def _list(args: Namespace) -> int:
    wanted = [listed for listed in listed_rules(own_rules(args)) if _is_wanted(listed, args)]
    if args.json:
        terminal.write_json(map(ListedLine.of, wanted))
        return Exit.SUCCESS
    console = terminal.make_console()
    console.print(_table(wanted))
    console.print(terminal.summary("rule", len(wanted), len(wanted)), style="dim")
    return Exit.SUCCESS


def _is_wanted(listed: ListedRule, args: Namespace) -> bool:
    rule = listed.rule
    category = CATEGORY_ALIASES.get(args.category, args.category)
    applies = args.pipeline is None or not rule.pipelines or args.pipeline in rule.pipelines
    return applies and category in (None, rule.category)


def _table(rules: Sequence[ListedRule]) -> Table:
    table = make_table("Rule", "Category", "Retry", "Priority", "From", "", right=("Priority",))
    for listed in rules:
        line = ListedLine.of(listed)
        table.add_row(
            cell(line.name, "bold" if line.state == "active" else "dim"),
            cell(line.category),
            cell(line.retry),
            cell("fallback" if line.fallback else line.priority),
            cell(line.place),
            cell("" if line.state == "active" else line.state, "yellow"),
        )
    return table


def _show(args: Namespace) -> int:
    rules = listed_rules(own_rules(args))
    found = [listed for listed in rules if listed.rule.name == args.name]
    if not found:
        raise NoSuchRule(_unknown(args.name, [listed.rule.name for listed in rules]))
    shown = map(ShownRule.of, found)
    if args.json:
        terminal.write_json(shown)
    else:
        print("\n\n".join(map(_in_words, shown)))
    return Exit.SUCCESS


def _unknown(name: str, known: Sequence[str]) -> str:
    alike = get_close_matches(name, known, n=3)
    hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
    return f"there is no rule {printable(name)}{hint}"


def _in_words(rule: ShownRule) -> str:
    """A line for each thing that the rule says, lists a line each value."""
    lines = []
    for name, value in rule.in_words().items():
        values = value if isinstance(value, list | tuple) else [value]
        for place, each in enumerate(values):
            lines.append(f"{'' if place else name:<14} {printable(each)}".rstrip())
    return "\n".join(lines)


def _test(args: Namespace) -> int:
    checked = list(check_examples(load_rules(args.file or own_rules(args))))
    failed = [example for example in checked if not example.ok]
    if args.json:
        terminal.write_json(checked)
    else:
        names = {example.rule for example in checked}
        print(
            f"{number(len(checked))} examples of {number(len(names))} rules: "
            f"{number(len(checked) - len(failed))} answered by their own rule, {len(failed)} not."
        )
        complain(Exit.FAILURES, *map(_complaint, failed))
    return Exit.FAILURES if failed else Exit.SUCCESS


def _complaint(example: CheckedExample) -> str:
    answer = "no rule" if example.answered_by == "unmatched" else example.answered_by
    message = msgspec.json.encode(example.message[:200]).decode()
    return f"{example.rule}: {answer} answers its example {printable(message)}"
