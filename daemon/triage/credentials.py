"""Every masker of secrets, in the order in which they run."""

from __future__ import annotations

from daemon.triage.account_numbers import ACCOUNT_NUMBERS
from daemon.triage.assignments import ASSIGNMENTS
from daemon.triage.commands import COMMANDS
from daemon.triage.logins import LOGINS
from daemon.triage.markup import MARKUP
from daemon.triage.sql_secrets import SQL
from daemon.triage.tokens import TOKENS
from daemon.triage.urls import URLS

PEM, *_OTHER_TOKENS = TOKENS

MASKERS = (
    PEM,
    *URLS,
    *SQL,
    *MARKUP,
    ASSIGNMENTS,
    *_OTHER_TOKENS,
    *COMMANDS,
    *LOGINS,
    *ACCOUNT_NUMBERS,
)
"""Keys of many lines come first, then what would hide its end from others: URLs, SQL, markup."""
