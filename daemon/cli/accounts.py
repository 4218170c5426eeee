"""`triaged accounts`: mail accounts of a running daemon."""

from __future__ import annotations

import sys
from argparse import Namespace
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console

from api.schemas.account_orders import AccountOrder
from api.schemas.accounts import Account, AccountPage, VerificationResult
from daemon.cli import terminal
from daemon.cli.account_tables import accounts_table, verification_lines
from daemon.cli.client import Client, make_client
from daemon.cli.main import Exit, complain
from daemon.config import Secrets
from daemon.errors import ConfigError, Problem

PATH = "/api/accounts"
_SECRETS = ("password", "oauth")
_SETTINGS = tuple(n for n in AccountOrder.__struct_fields__ if n not in _SECRETS)
_OAUTH = ("token_url", "client_id", "scope")


def run(args: Namespace) -> int:
    """Carries out one action and shows what came of it."""
    client = make_client(args)
    match args.action:
        case "list":
            return _show(client.get(PATH, AccountPage).accounts, args)
        case "add":
            body = _changed({"name": args.name}, args) | _secret(args, {}, new=True)
            return _show([client.post(PATH, Account, body)], args)
        case "set":
            return _show([_set(client, args)], args)
        case "remove":
            return _remove(client, args)
    return _verify(client, args)


def _path(args: Namespace) -> str:
    return f"{PATH}/{quote(args.name, safe='')}"


def _set(client: Client, args: Namespace) -> Account:
    """Replaces the account by itself with what is given changed."""
    account = client.get(_path(args), Account)
    before = {name: getattr(account, name) for name in _SETTINGS}
    before["email_address"] = _own_address(account)
    oauth = {n: getattr(account.oauth, n) for n in _OAUTH} if account.oauth else {}
    body = _changed(before, args) | _secret(args, oauth, new=False)
    return client.put(_path(args), Account, body)


def _own_address(account: Account) -> str | None:
    """The address that was given; none when it only follows from the user name."""
    return None if account.email_address == account.username else account.email_address


def _changed(before: dict[str, Any], args: Namespace) -> dict[str, Any]:
    given = {name: getattr(args, name) for name in _SETTINGS}
    return before | {name: value for name, value in given.items() if value is not None}


def _secret(args: Namespace, oauth: dict[str, Any], *, new: bool) -> dict[str, Any]:
    """The part of the body that has secrets in it, as far as they are given."""
    oauth = oauth | {n: getattr(args, n) for n in _OAUTH if getattr(args, n) is not None}
    wanted = new or args.password or args.password_stdin or args.password_env is not None
    secret = _read_secret(args, "Refresh token" if oauth else "Password") if wanted else None
    if not oauth:
        return {"password": secret}
    client_secret = (
        Secrets().read(args.client_secret_env, None, Path()) if args.client_secret_env else None
    )
    return {"oauth": oauth | {"refresh_token": secret, "client_secret": client_secret}}


def _read_secret(args: Namespace, what: str) -> str:
    """From where the arguments say; else a person is asked, who does not see it while typing."""
    if args.password_env is not None:
        return Secrets().read(args.password_env, None, Path())
    if args.password_stdin:
        given = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        given = getpass(f"{what} of {args.name}: ")
    else:
        expected = "expected --password-env or --password-stdin where nobody can be asked"
        raise ConfigError([Problem("", expected)])
    if not given:
        raise ConfigError([Problem("", "expected a password, got nothing")])
    return given


def _remove(client: Client, args: Namespace) -> int:
    if not args.yes and not terminal.confirmed(f"Remove {terminal.printable(args.name)}?"):
        return complain(Exit.SUCCESS, "nothing was changed")
    client.delete(_path(args))
    if not args.json:
        terminal.make_console().print(terminal.cell(f"{args.name} is removed."))
    return Exit.SUCCESS


def _verify(client: Client, args: Namespace) -> int:
    result = _waiting(client, args)
    if args.json:
        terminal.write_json([result])
    else:
        console = terminal.make_console()
        for line in verification_lines(result):
            console.print(line)
    return Exit.SUCCESS if result.ok else Exit.FAILURES


def _waiting(client: Client, args: Namespace) -> VerificationResult:
    """The answer; a person sees meanwhile that something goes on."""
    screen = Console(stderr=True, markup=False, highlight=False, emoji=False)
    with screen.status(terminal.cell(f"logging in to {args.name}")):
        return client.post(f"{_path(args)}/verify", VerificationResult)


def _show(accounts: list[Account], args: Namespace) -> int:
    if args.json:
        terminal.write_json(accounts)
        return Exit.SUCCESS
    console = terminal.make_console()
    if accounts:
        console.print(accounts_table(accounts))
    else:
        console.print("No mail accounts.", style="dim")
    return Exit.SUCCESS
