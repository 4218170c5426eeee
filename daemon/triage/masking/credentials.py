"""Every masker of secrets, in the order in which they run."""

from __future__ import annotations

from daemon.triage.masking.account_numbers import ACCOUNT_NUMBERS
from daemon.triage.masking.assignments import ASSIGNMENTS
from daemon.triage.masking.commands import COMMANDS
from daemon.triage.masking.logins import LOGINS
from daemon.triage.masking.markup import MARKUP
from daemon.triage.masking.sql_secrets import SQL
from daemon.triage.masking.tokens import TOKENS
from daemon.triage.masking.urls import URLS

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
