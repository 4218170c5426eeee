"""The arguments of `triaged accounts`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from typing import TYPE_CHECKING

from daemon.cli.options import command, json, where
from daemon.config.values import Duration

if TYPE_CHECKING:
    from daemon.cli.options import Commands


def add_accounts(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "accounts",
        "list mail accounts, make, change, remove and verify them",
        "Asks the daemon that runs. Passwords are asked for, or come from an environment variable or",
        "standard input; never from the command line, where others could see them.",
        "Exit codes: 0 done, 1 a login failed, 2 mistakes in the arguments, 5 no daemon answers, or it",
        "refuses to.",
        "",
        "example:  triaged accounts list",
        "example:  triaged accounts add support --host imap.example.com --username ann@example.com",
        "example:  triaged accounts set support --password-env NEW_PASSWORD",
        "example:  triaged accounts verify support",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    _finish(command(actions, "list", "list all accounts, those of the configuration too"))
    add = _action(actions, "add", "make an account; asks for its password")
    change = _action(actions, "set", "change settings of an account; all others stay as they are")
    for parser in (add, change):
        _settings(parser, new=parser is add)
        _secrets(parser)
    remove = _action(actions, "remove", "remove an account and its password; its history stays")
    remove.add_argument("--yes", action="store_true", help="do not ask whether to")
    _action(actions, "verify", "try the login now, and say what is wrong if it fails")


def _action(actions: Commands, name: str, about: str) -> ArgumentParser:
    parser = command(actions, name, about)
    parser.add_argument("name", metavar="NAME", help="name of the account")
    _finish(parser)
    return parser


def _finish(parser: ArgumentParser) -> None:
    where(parser)
    json(parser, "JSON Lines")


def _settings(parser: ArgumentParser, *, new: bool) -> None:
    add = parser.add_argument
    add("--host", metavar="HOST", required=new, help="the IMAP server")
    add("--username", metavar="USER", required=new, help="name to log in with")
    add("--port", metavar="N", type=int, help="its port (993, or 143 without implicit TLS)")
    add("--tls", choices=("implicit", "starttls", "none"), help="how to protect it (implicit)")
    add("--email", dest="email_address", metavar="ADDRESS", help="address to show")
    add("--folder", metavar="NAME", help="folder to process (INBOX)")
    add("--hours", metavar="N", type=int, help="how far back to look at messages (24)")
    add(
        "--catch-up", dest="catch_up_hours", metavar="N", type=int, help="... after an outage (168)"
    )
    add("--label-as", choices=("auto", "gmail", "keywords"), help="how to write categories (auto)")
    add("--timeout", dest="timeout_seconds", metavar="TIME", type=_duration, help="(30s)")
    add("--deadline", dest="deadline_seconds", metavar="TIME", type=_duration, help="(5m)")
    about = "write nothing to the account"
    add("--dry-run", action=BooleanOptionalAction, default=None, help=about)
    add("--enabled", action=BooleanOptionalAction, default=None, help="include it in cycles")
    add("--token-url", metavar="URL", help="OAuth: where access tokens come from")
    add("--client-id", metavar="ID", help="OAuth: the client's id")
    add("--scope", metavar="SCOPE", help="OAuth: scope to ask for")


def _secrets(parser: ArgumentParser) -> None:
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--password", action="store_true", help="ask for a new password")
    places.add_argument(
        "--password-env",
        metavar="VARIABLE",
        help="environment variable with the password, or with OAuth the refresh token",
    )
    places.add_argument("--password-stdin", action="store_true", help="read it from standard input")
    parser.add_argument(
        "--client-secret-env", metavar="VARIABLE", help="OAuth: variable with the client's secret"
    )


def _duration(text: str) -> float:
    try:
        return float(Duration.parse(text))
    except ValueError as error:
        raise ArgumentTypeError(f"expected {error}") from None
