"""`triaged token`: makes, lists and revokes API keys, in the file that a daemon reads them from."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime, timedelta

import msgspec

from daemon.access.key_output import GROUP, OWNER, KeyOutput
from daemon.access.keys_file import KeyRecord, KeysFile
from daemon.access.roles import KeyName, Role
from daemon.cli import terminal
from daemon.cli.main import Exit
from daemon.clock import SystemClock
from daemon.config import Settings
from daemon.config.values import Duration
from daemon.errors import ConfigError, Problem
from daemon.pipelines.kinds import load_settings

FIRST_KEY = (
    "This is the first key: from now on the API asks for one, on this machine too. Commands take it from "
    "TRIAGED_API_KEY in the environment, or from the file that --key-file names."
)
LAST_KEY = (
    "There is no key any more: on loopback every local user may do everything now; on another address "
    "nobody gets in, and `triaged serve` does not start."
)


class Created(msgspec.Struct, frozen=True):
    """What `--json` says of a new key."""

    name: str
    role: str
    expires: datetime | None
    key: str


class ListedKey(msgspec.Struct, frozen=True):
    """A key as it is listed."""

    name: str
    role: str
    status: str
    """active, expired or revoked; in the list also where a key comes from: configured."""
    created: datetime | None
    expires: datetime | None
    revoked: datetime | None


def run(args: Namespace) -> int:
    """Carries out one action."""
    settings = load_settings(args.config, check_keys=False)
    file = KeysFile(settings.keys_path)
    if args.action == "create":
        _create(args, settings, file)
    elif args.action == "revoke":
        _revoke(args, settings, file)
    else:
        _list(args, settings, file)
    return Exit.SUCCESS


def _create(args: Namespace, settings: Settings, file: KeysFile) -> None:
    name, output = _checked(args.name), _output(args)
    now = SystemClock().now()
    expires = _expiry(args.expires, now)
    if args.if_missing and _is_there(file, output, name, args.role, now):
        _say(f"{args.output} has a good key named {name}: nothing to do.")
        return
    first = not settings.keys and not _active(file)
    key = file.create(
        name,
        args.role,
        now,
        expires=expires,
        taken=[key.name for key in settings.keys],
        hand_over=output.write if output else None,
    )
    _hand_over(args, expires, key)
    if first:
        _say(FIRST_KEY)


def _output(args: Namespace) -> KeyOutput | None:
    """The file of `--output`. Options that contradict it, or need it, are refused."""
    if args.output is not None:
        if args.json:
            raise ConfigError(
                [Problem("--json", "shows the key, which --output hides: choose one")]
            )
        return KeyOutput(args.output, GROUP if args.group else OWNER)
    for option, given in (("--if-missing", args.if_missing), ("--group", args.group)):
        if given:
            raise ConfigError([Problem(option, "is about a file: expected --output FILE with it")])
    return None


def _is_there(
    file: KeysFile, output: KeyOutput | None, name: str, role: Role, now: datetime
) -> bool:
    held = output.read() if output else None
    return held is not None and file.knows(held, name, role, now)


def _hand_over(args: Namespace, expires: datetime | None, key: str) -> None:
    """Shows the key, unless a file has it."""
    if args.output is not None:
        _say(f"The key {args.name} is in {args.output}.")
        return
    if args.json:
        terminal.write_json([Created(args.name, args.role, expires, key)])
    else:
        print(key)
    _say("Keep the key now: only its hash is stored, and it is not shown again.")


def _checked(name: str) -> str:
    try:
        return msgspec.convert(name, KeyName)
    except msgspec.ValidationError:
        expected = "expected a name of at most 64 letters, digits, - _ and ."
        raise ConfigError([Problem("NAME", expected)]) from None


def _expiry(lasting: str | None, now: datetime) -> datetime | None:
    if lasting is None:
        return None
    try:
        return now + timedelta(seconds=Duration.parse(lasting))
    except (ValueError, OverflowError):
        raise ConfigError(
            [Problem("--expires", "expected a duration such as 12h or 90d")]
        ) from None


def _revoke(args: Namespace, settings: Settings, file: KeysFile) -> None:
    if any(key.name == args.name for key in settings.keys):
        where = "is a key of the configuration: take it out of server.keys, and restart"
        raise ConfigError([Problem(args.name, where)])
    file.revoke(args.name, SystemClock().now())
    _say(f"{args.name} is revoked; a daemon that runs notices within seconds.")
    if not settings.keys and not _active(file):
        _say(LAST_KEY)


def _list(args: Namespace, settings: Settings, file: KeysFile) -> None:
    now = SystemClock().now()
    listed = [
        ListedKey(key.name, key.role, "configured", None, None, None) for key in settings.keys
    ]
    listed += [_listed(record, now) for record in file.read()]
    if args.json:
        terminal.write_json(listed)
        return
    table = terminal.make_table(*("Name", "Role", "Status", "Created", "Expires"), fixed=("Name",))
    for key in listed:
        times = [terminal.local(moment) if moment else "" for moment in (key.created, key.expires)]
        table.add_row(
            terminal.cell(key.name, "bold"), key.role, terminal.status_cell(key.status), *times
        )
    console = terminal.make_console()
    if listed:
        console.print(table)
    console.print(terminal.summary("key", len(listed), len(listed)), style="dim")


def _listed(record: KeyRecord, now: datetime) -> ListedKey:
    expired = record.expires is not None and record.expires <= now
    status = "revoked" if record.revoked else "expired" if expired else "active"
    return ListedKey(
        record.name, record.role, status, record.created, record.expires, record.revoked
    )


def _active(file: KeysFile) -> list[KeyRecord]:
    return [record for record in file.read() if not record.revoked]


def _say(sentence: str) -> None:
    """To a person, and out of the way of a program that reads the key."""
    print(sentence, file=sys.stderr)
