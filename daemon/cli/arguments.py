"""The commands and their arguments, as `triaged --help` shows them."""

from __future__ import annotations

import errno as errno_numbers
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daemon.cli.access_arguments import add_audit, add_token
from daemon.cli.account_arguments import add_accounts
from daemon.cli.operating_arguments import (
    add_completion,
    add_files,
    add_pipelines,
    add_rejected,
)
from daemon.cli.options import (
    ANY,
    STORE,
    command,
    config,
    json,
    limit,
    positive,
    reading,
    time_range,
    where,
)
from daemon.cli.store_arguments import add_store_commands
from daemon.config.places import CONFIG_VARIABLE
from daemon.taxonomy import (
    CATEGORY_ALIASES,
    Category,
    FailureStatus,
    GroupState,
    RunStatus,
)
from daemon.version import VERSION

if TYPE_CHECKING:
    from daemon.cli.options import Commands


def make_parser() -> ArgumentParser:
    """The parser of the command line."""
    parser = ArgumentParser(
        prog="triaged",
        description="Runs background processing cycles and triages every failure: what kind it is, "
        "whether retrying helps, what to do about it.",
        epilog="`triaged COMMAND --help` explains a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"triaged {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    add_commands = (
        *(
            _serve,
            _run,
            _check,
            add_store_commands,
            _failures,
            _groups,
            _runs,
            _retry,
            _watch,
            _classify,
        ),
        *(_log, add_pipelines, add_files, add_rejected),
        *(_unclassified, _rules, add_accounts, add_token, add_audit, add_completion),
    )
    for add in add_commands:
        add(commands)
    return parser


def _serve(commands: Commands) -> None:
    parser = command(
        commands,
        "serve",
        "run the daemon: cycles, API and web page",
        "Ctrl-C or SIGTERM ends it in order; a second Ctrl-C at once.",
        "Exit codes: 0 ended in order, 1 something could not be stored, 2 mistakes in the",
        "configuration, 3 the store cannot be used, 4 the address cannot be listened on.",
        "",
        "example:  triaged serve --config triaged.toml",
    )
    config(parser)


def _run(commands: Commands) -> None:
    parser = command(
        commands,
        "run",
        "run one cycle now and show what failed",
        "With --config in this process, which needs the store for itself; while a daemon runs, ask",
        "that one with --url, also for a cycle of a pipeline that is paused.",
        "Exit codes: 0 success, 1 failures, 2 mistakes in the configuration, 3 the store cannot be",
        "used, 5 no daemon answers, 130 interrupted.",
        "",
        "example:  triaged run ingest orders --config triaged.toml",
        "example:  triaged run ingest --url http://127.0.0.1:8080",
    )
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("source", metavar="SOURCE", nargs="?", help="only this one; else all")
    where(parser, "run in this process, with this configuration")
    json(parser, "one JSON line for each run and each failure")


def _check(commands: Commands) -> None:
    parser = command(
        commands,
        "check-config",
        "check a configuration and report every mistake",
        "Looks at the file, the rules, the schedules and your own functions; opens no database and",
        "changes nothing. Exit codes: 0 no mistakes, 2 mistakes.",
        "",
        "example:  triaged check-config triaged.toml",
    )
    files = parser.add_mutually_exclusive_group()
    files.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the configuration")
    files.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help=f"the same ({CONFIG_VARIABLE} in the environment)",
    )
    json(parser, "a JSON object with `valid`, `problems` and `pipelines`")


def _failures(commands: Commands) -> None:
    parser = command(
        commands,
        "failures",
        "show failures with their advice, newest first",
        "Asks the daemon that runs, or reads the store of one that does not (--config). The table shows",
        "what is open; --status all, --json and --csv also what is dealt with.",
        "",
        "example:  triaged failures --category auth --since 2h",
        "example:  triaged failures --groups",
        "example:  triaged failures --csv > failures.csv",
    )
    parser.add_argument(
        "--groups", action="store_true", help="failures with the same cause as one line"
    )
    _state(parser, "with --groups: ")
    _filters(parser, [*map(str, FailureStatus), ANY], "failures")
    _failure_filters(parser)
    reading(parser)


def _state(parser: ArgumentParser, condition: str = "") -> None:
    states = [*map(str, GroupState), ANY]
    parser.add_argument(
        "--state",
        metavar="S",
        choices=states,
        help=f"{condition}only groups that stand so, one of {', '.join(states)}",
    )


def _groups(commands: Commands) -> None:
    parser = command(
        commands,
        "groups",
        "list failure groups, and decide about them: resolve, ignore, reopen, merge, unmerge, split",
        "Asks the daemon that runs; `list` also reads the store of one that does not (--config).",
        "",
        "example:  triaged groups list",
        'example:  triaged groups resolve 9f86d081884c7d65 --note "fixed in 2.4.1"',
        "example:  triaged groups ignore 9f86d081884c7d65 --for 7d",
        "example:  triaged groups split 9f86d081884c7d65 --text customers.csv",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    about = "list groups; the table shows those with something open, --state all shows all"
    listing = command(actions, "list", about)
    _state(listing)
    _filters(listing, [*map(str, FailureStatus), ANY], "groups")
    _failure_filters(listing)
    reading(listing)
    _group_action(actions, "show", "show a group with its sources and its newest failure")
    resolve = _group_action(actions, "resolve", "say that the cause is gone")
    ignore = _group_action(actions, "ignore", "leave a group alone, for good or for a time")
    reopen = _group_action(actions, "reopen", "take a decision back")
    for action in (resolve, ignore):
        about = "what occurred up to then does not undo it: a time, or how long ago; now"
        action.add_argument("--as-of", metavar="TIME", help=about)
    ignore.add_argument("--for", dest="lasting", metavar="TIME", help="how long, such as 2h or 7d")
    for action in (resolve, ignore, reopen):
        action.add_argument("--note", metavar="TEXT", help="why, for others to read")
    merge = _group_action(actions, "merge", "show other groups as part of this one")
    merge.add_argument("others", metavar="OTHER", nargs="+", help="groups with the same cause")
    _group_action(actions, "unmerge", "take a merged group out, or all that were merged into it")
    split = _group_action(actions, "split", "make a group of some of its failures")
    parts = split.add_mutually_exclusive_group(required=True)
    parts.add_argument("--text", metavar="TEXT", help="those whose message holds it, to the letter")
    parts.add_argument(
        "--failure",
        dest="failures",
        metavar="ID",
        type=positive,
        action="append",
        help="those with the normalised message of this one; may be repeated",
    )


def _group_action(actions: Commands, name: str, about: str) -> ArgumentParser:
    parser = command(actions, name, about)
    parser.add_argument("group", metavar="GROUP", help="id of the group")
    where(parser)
    json(parser, "the answer of the daemon")
    return parser


def _runs(commands: Commands) -> None:
    parser = command(
        commands,
        "runs",
        "show runs with their outcome, newest first",
        "Asks the daemon that runs, or reads the store of one that does not (--config).",
        "",
        "example:  triaged runs --pipeline ingest --status failed --since 2026-11-20",
    )
    _filters(parser, [*map(str, RunStatus)], "runs")
    reading(parser)


def _log(commands: Commands) -> None:
    parser = command(
        commands,
        "log",
        "show the log of a run: its steps, and its failures with their full text",
        "Asks the daemon that runs, or reads the store of one that does not (--config).",
        "",
        "example:  triaged log 20260131T080000000-5f0c7d1e",
    )
    parser.add_argument("run_id", metavar="RUN", help="id of the run, as `triaged runs` shows it")
    json(parser, "JSON Lines")
    where(parser, STORE)


def _retry(commands: Commands) -> None:
    parser = command(
        commands,
        "retry",
        "retry failures by id, by group or by filter, and show what failed again",
        "Asks the daemon that runs, which retries in the background. What triage says a retry",
        "cannot help is left out. Ctrl-C leaves the operation running. Exit codes: 0 all succeeded,",
        "1 some failed again or could not be retried, 5 no daemon answers, 130 left by Ctrl-C.",
        "",
        "example:  triaged retry 4711 4712",
        "example:  triaged retry --group 9f86d081884c7d65 --rate 600",
        "example:  triaged retry --category connection --since 2h --dry-run",
        "example:  triaged retry --list",
    )
    parser.add_argument(
        "failure_ids", metavar="FAILURE_ID", nargs="*", type=positive, help="these failures"
    )
    _scope(parser, [*map(str, FailureStatus)])
    _failure_filters(parser)
    parser.add_argument("--rate", metavar="N", type=positive, help="items a minute at most")
    parser.add_argument(
        "--include-not-retryable",
        action="store_true",
        help="also what triage says a retry cannot help",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be retried, and change nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the end")
    others = parser.add_mutually_exclusive_group()
    others.add_argument("--list", action="store_true", help="show retries, newest first")
    others.add_argument("--watch", metavar="ID", help="follow a retry to its end")
    others.add_argument("--cancel", metavar="ID", help="end a retry")
    limit(parser, "retries, with --list,", "20")
    json(parser, "JSON Lines")
    where(parser)


def _watch(commands: Commands) -> None:
    parser = command(
        commands,
        "watch",
        "watch active runs, recent runs and failures as they happen",
        "Waits for a daemon that is away and goes on when it is back. Ctrl-C ends it. Without a",
        "terminal it prints a line for each change.",
        "",
        "example:  triaged watch --url http://127.0.0.1:8080",
    )
    where(parser)


def _classify(commands: Commands) -> None:
    parser = command(
        commands,
        "classify",
        "say what kind of failure an error message is, and what to do about it",
        'JSON Lines come in as {"id": 1, "message": "...", "exception": "...", "pipeline": "..."},',
        "of which only the message is required, and go out with the same id. Further keys are the",
        "facts http_status, errno, sqlstate, error_class and imap_code.",
        "Exit codes: 0, or 1 when a line could not be read.",
        "",
        'example:  triaged classify "535 5.7.8 Authentication failed"',
        "example:  triaged classify --jsonl errors.jsonl > classified.jsonl",
        'example:  triaged classify --explain --http-status 400 "invalid_grant"',
    )
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("message", metavar="MESSAGE", nargs="?", help="the message; - is stdin")
    given.add_argument("--jsonl", metavar="FILE", help="a file of JSON Lines; - is stdin")
    parser.add_argument("--pipeline", metavar="P", default="", help="the pipeline it comes from")
    parser.add_argument("--exception", metavar="TYPE", help="the type of the exception")
    _facts(parser)
    _rules_file(parser)
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also show what matched, what stood lower, and what nearly matched",
    )
    json(parser, "a JSON line rather than text")


def _facts(parser: ArgumentParser) -> None:
    """Structured facts, as an exception would carry them."""
    parser.add_argument("--http-status", metavar="N", type=positive, help="status of the answer")
    parser.add_argument("--errno", metavar="N", type=_errno, help="number, or name such as ENOSPC")
    parser.add_argument("--sqlstate", metavar="STATE", help="SQLSTATE of a database")
    parser.add_argument("--error-class", metavar="NAME", help="error class of DuckDB or Spark")
    parser.add_argument("--imap-code", metavar="CODE", help="response code of an IMAP server")


def _errno(text: str) -> int:
    number = getattr(errno_numbers, text, None)
    return number if isinstance(number, int) else positive(text)


def _unclassified(commands: Commands) -> None:
    parser = command(
        commands,
        "unclassified",
        "show messages that no rule recognises, grouped, with rules to start from",
        "Each comes with a rule to start from, which `triaged rules test` accepts as it is.",
        "",
        "example:  triaged unclassified --config triaged.toml",
        "example:  triaged unclassified --toml --limit 5 > rules.toml",
    )
    parser.add_argument("--pipeline", metavar="P", help="only of this pipeline")
    time_range(parser)
    limit(parser, "groups", "20")
    forms = parser.add_mutually_exclusive_group()
    json(forms, "JSON Lines")
    forms.add_argument("--toml", action="store_true", help="only the proposed rules")
    where(parser)


def _failure_filters(parser: ArgumentParser) -> None:
    parser.add_argument("--q", metavar="TEXT", help="text in message, item or advice, in any case")
    parser.add_argument("--run-id", metavar="ID", help="only of this run")
    parser.add_argument(
        *("--group", "--failure-group"),
        metavar="ID",
        dest="failure_group",
        help="only of this failure group",
    )


def _rules(commands: Commands) -> None:
    parser = command(
        commands,
        "rules",
        "list the rules, show one, or test them with their examples",
        "",
        "example:  triaged rules list --category authentication",
        "example:  triaged rules show disk_full",
        "example:  triaged rules test rules.toml",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    listing = command(actions, "list", "list the rules in the order in which they are considered")
    listing.add_argument("--pipeline", metavar="P", help="only those that apply to this pipeline")
    categories = [*map(str, Category), *CATEGORY_ALIASES]
    listing.add_argument(
        "--category", metavar="C", choices=categories, help="only of this category"
    )
    _rules_file(listing)
    json(listing, "JSON Lines")
    showing = command(actions, "show", "show all of a rule and where it is written")
    showing.add_argument("name", metavar="NAME")
    _rules_file(showing)
    json(showing, "a JSON line for each rule of that name")
    testing = command(
        actions,
        "test",
        "check rules, and that each answers its own examples",
        "Exit codes: 0 all do, 1 one does not, 2 mistakes in the rules.",
    )
    file = _rules_file(testing)
    file.add_argument("file", metavar="FILE", type=Path, nargs="?", help="rules of your own")
    json(testing, "a JSON line for each example")


def _rules_file(parser: ArgumentParser) -> Any:
    """Whose rules besides the bundled ones."""
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--rules", metavar="FILE", type=Path, help="with rules of your own")
    about = f"with the rules that this configuration names ({CONFIG_VARIABLE} in the environment)"
    places.add_argument("--config", metavar="FILE", type=Path, help=about)
    return places


def _filters(parser: ArgumentParser, statuses: list[str], things: str) -> None:
    _scope(parser, statuses)
    limit(parser, things)


def _scope(parser: ArgumentParser, statuses: list[str]) -> None:
    categories = [*map(str, Category), *CATEGORY_ALIASES]
    parser.add_argument("--pipeline", metavar="P", help="only of this pipeline")
    parser.add_argument("--source", metavar="S", help="only of this source")
    parser.add_argument(
        "--category", metavar="C", choices=categories, help=f"one of {', '.join(categories)}"
    )
    parser.add_argument(
        "--status", metavar="S", choices=statuses, help=f"one of {', '.join(statuses)}"
    )
    time_range(parser)
