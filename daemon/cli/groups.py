"""`triaged groups`: lists failure groups, shows one, or tells a running daemon what to do with it."""

from __future__ import annotations

from argparse import Namespace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from api.schemas.groups import FailureGroup, FailureGroupDetail, GroupsUnmerged
from daemon.cli import terminal
from daemon.cli.client import Client, make_client
from daemon.cli.failures import list_groups
from daemon.cli.filters import moment
from daemon.cli.main import Exit
from daemon.cli.tables import groups_table
from daemon.clock import SystemClock
from daemon.config.values import Duration
from daemon.errors import ConfigError, Problem

PATH = "/api/failures/groups"


def run(args: Namespace) -> int:
    """Lists groups, or carries out one action and shows how the group stands then."""
    if args.action == "list":
        return list_groups(args)
    client = make_client(args)
    answer = _unmerge(client, args) if args.action == "unmerge" else _group(client, args)
    if args.json:
        terminal.write_json([answer])
    elif isinstance(answer, GroupsUnmerged):
        freed = ", ".join(answer.failure_groups)
        text = terminal.cell(f"By themselves again: {freed}")
        terminal.make_console().print(text, soft_wrap=True)
    else:
        _show(answer)
    return Exit.SUCCESS


def _unmerge(client: Client, args: Namespace) -> GroupsUnmerged:
    return client.post(f"{PATH}/{_id(args)}/unmerge", GroupsUnmerged)


def _group(client: Client, args: Namespace) -> FailureGroupDetail:
    if args.action == "show":
        return client.get(f"{PATH}/{_id(args)}", FailureGroupDetail)
    if args.action == "merge":
        body = {"failure_groups": args.others, "into": args.group}
        return client.post(f"{PATH}/merge", FailureGroupDetail, body)
    body = {name: value for name, value in _body(args).items() if value is not None}
    return client.post(f"{PATH}/{_id(args)}/{args.action}", FailureGroupDetail, body)


def _id(args: Namespace) -> str:
    return quote(args.group, safe="")


def _body(args: Namespace) -> dict[str, Any]:
    """What an action says besides its name."""
    if args.action == "split":
        return {"text": args.text, "failure_ids": args.failures}
    body: dict[str, Any] = {"note": args.note}
    if args.action != "reopen":
        body["as_of"] = moment("--as-of", args.as_of, SystemClock().now())
    if args.action == "ignore":
        body["until"] = _end(args.lasting)
    return body


def _end(lasting: str | None) -> datetime | None:
    if lasting is None:
        return None
    try:
        return SystemClock().now() + timedelta(seconds=Duration.parse(lasting))
    except (ValueError, OverflowError):
        raise ConfigError([Problem("--for", "expected a duration such as 90m, 2h or 7d")]) from None


def _show(group: FailureGroupDetail) -> None:
    console = terminal.make_console()
    console.print(groups_table([group], console.width))
    for line in _lines(group):
        console.print(terminal.cell(line), style="dim", soft_wrap=True)


def _lines(group: FailureGroupDetail) -> list[str]:
    """What the table does not say."""
    affected = ", ".join(
        f"{one.pipeline}/{one.source} ({terminal.number(one.count)})"
        for one in group.affected_sources
    )
    lines = [
        f"seen {terminal.local(group.first_seen)} to {terminal.local(group.last_seen)}",
        f"a retry may help {group.retryable_share:.0%} of them",
        f"{group.total_sources} affected: {affected}",
        f"newest failure: {group.sample.id}, {group.sample.error_message}",
    ]
    if group.decision is not None:
        lines.append(_decision(group))
    if group.merged:
        lines.append(f"merged into it: {', '.join(group.merged)}")
    if group.split_from is not None:
        lines.append(f"split off from {group.split_from}")
    return lines


def _decision(group: FailureGroup) -> str:
    decision = group.decision
    assert decision is not None, "asked for by who has seen one"
    until = f" until {terminal.local(decision.until)}" if decision.until else ""
    by = f" by {decision.by}" if decision.by else ""
    note = f": {decision.note}" if decision.note else ""
    return f"{decision.decision} as of {terminal.local(decision.as_of)}{until}{by}{note}"
