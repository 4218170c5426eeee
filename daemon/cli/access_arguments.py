"""The arguments of the commands about keys and the audit trail."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from daemon.access.roles import Role
from daemon.cli.options import command, config, json, limit, reading, time_range

if TYPE_CHECKING:
    from daemon.cli.options import Commands


def add_token(commands: Commands) -> None:
    parser = command(
        commands,
        "token",
        "make, list and revoke API keys",
        "Works on the keys file, whether or not a daemon runs; one that runs notices within seconds.",
        "",
        "example:  triaged token create grafana --role read --config triaged.toml",
        "example:  triaged token create ann --role operate --expires 90d --config triaged.toml",
        "example:  triaged token create grafana --role read --output FILE --if-missing --config F",
        "example:  triaged token revoke ann --config triaged.toml",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    create = command(actions, "create", "make a key and print it, once")
    create.add_argument("name", metavar="NAME", help="what the log and the audit trail call it")
    create.add_argument(
        "--role", choices=get_args(Role), required=True, help="what it may do: read, operate, admin"
    )
    create.add_argument("--expires", metavar="TIME", help="for how long it is good, such as 90d")
    _add_output(create)
    listing = command(actions, "list", "list the keys, without the keys themselves")
    revoke = command(actions, "revoke", "make a key useless for good")
    revoke.add_argument("name", metavar="NAME")
    for action in (create, listing, revoke):
        config(action, "the configuration, which says where keys are kept")
    for action in (create, listing):
        json(action, "JSON Lines")


def _add_output(create: ArgumentParser) -> None:
    create.add_argument(
        "--output", metavar="FILE", type=Path, help="write the key to a file, and do not print it"
    )
    create.add_argument(
        "--group", action="store_true", help="let the file's group read it (0640 in place of 0600)"
    )
    create.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing if the file has a good key of that name",
    )


def add_audit(commands: Commands) -> None:
    parser = command(
        commands,
        "audit",
        "show who did what, newest first",
        "Asks the daemon that runs, with a key of the role admin if there are keys, or reads the",
        "store of one that does not (--config).",
        "",
        "example:  triaged audit --by ann --since 7d",
        "example:  triaged audit --csv > audit.csv",
    )
    parser.add_argument("--by", metavar="NAME", help="only of this key, or of `local`")
    parser.add_argument("--action", metavar="A", help="only of this action, such as keys.created")
    parser.add_argument("--subject", metavar="S", help="only about what has this name or id")
    parser.add_argument("--q", metavar="TEXT", help="text in any of the columns, in any case")
    time_range(parser)
    limit(parser, "entries")
    reading(parser)
