"""Mail accounts and the logins that were tried, as they look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.table import Table
from rich.text import Text

from api.schemas.accounts import Account, VerificationResult
from daemon.cli.terminal import cell, local, make_table, seconds, stacked, status_cell


def accounts_table(accounts: Iterable[Account]) -> Table:
    """A line each, with what is the matter below its name."""
    table = make_table(
        "Account", "Kept in", "Server", "Status", "Last success", fixed=("Account", "Kept in")
    )
    for account in accounts:
        table.add_row(
            stacked(cell(account.name, "bold"), cell(account.email_address, "dim")),
            "the API" if account.origin == "api" else "the file",
            stacked(cell(f"{account.host}:{account.port}"), cell(account.username, "dim")),
            _status(account),
            "never" if account.last_success_at is None else local(account.last_success_at),
        )
    return table


def _status(account: Account) -> Text:
    waiting = account.waiting
    notes = (
        account.note,
        account.password_problem,
        None if account.enabled else "disabled",
        waiting and f"{waiting.reason}: {waiting.error_category}",
    )
    status = account.latest_status or ("no run yet" if account.in_force else "not in force")
    return stacked(status_cell(status), *(cell(note, "yellow") for note in notes if note))


def verification_lines(result: VerificationResult) -> Iterator[Text]:
    """What came of a login, and what to do about it."""
    took = seconds(result.duration_seconds)
    if result.triage is None:
        yield cell(f"{result.name}: the login works ({took}).", "green")
        return
    found = result.triage
    again = "trying again may help" if found.retryable else "trying again does not help"
    yield cell(f"{result.name}: {found.user_message} ({found.category}, {again}; {took})", "red")
    yield cell(found.error_message, "dim")
    yield cell(f"→ {found.suggested_action}", "cyan")
