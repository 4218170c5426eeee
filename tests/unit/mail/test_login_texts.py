"""What providers say at a login, by their own words: a password that may be wrong is never tried again by itself."""

from __future__ import annotations

import re

import pytest

from daemon.pipelines.mail.errors import LoginRefused
from daemon.taxonomy import Category
from daemon.triage import Triage, describe

TRIAGE = Triage.load()

PASSWORD_BESIDE_A_LIMIT = [
    "[AUTHENTICATIONFAILED] Too many login attempts",
    "[LIMIT] Invalid credentials, or login rate limit hit",
    "Incorrect password. Login rate limit exceeded",
    "登录失败, 密码错误或登录过于频繁",
    "Authentication failed: too many attempts / wrong password",
    "Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or system is busy.",
    "Invalid user name or password, or too many connections",
    "[UNAVAILABLE] Authentication failed: wrong password",
    "[AUTHENTICATIONFAILED] Invalid credentials or too many simultaneous connections",
    "LOGIN failed. Bad username/password or server busy, try again later",
    "[LIMIT] Too many failed login attempts with a wrong password",
    "[ALERT] Wrong username or password; account temporarily blocked for 15 minutes",
    "[ALERT] Account locked due to too many failed login attempts",
]
LIMITS = [
    "[UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=16)",
    "[INUSE] Too many simultaneous connections",
    "[UNAVAILABLE] Too many concurrent sessions for this user",
    "Too many login attempts, please try again later",
    "[LIMIT] Too many logins, wait 15 minutes",
    "[LIMIT] LOGIN Rate limit hit.",
    "Too many open connections",
    "Login frequency limited",
]
TROUBLES = [
    "Lookup failed q1w2e3r4",
    "[UNAVAILABLE] Temporary authentication failure.",
    "[UNAVAILABLE] LOGIN failure. Server error",
    "System error",
    "LOGIN failed. Server is busy, try again later",
]


@pytest.mark.requirement("F4", "F5")
@pytest.mark.parametrize(
    ("text", "category", "retryable"),
    [
        *((text, Category.AUTHENTICATION, False) for text in PASSWORD_BESIDE_A_LIMIT),
        *((text, Category.RATE_LIMIT, True) for text in LIMITS),
        *((text, Category.SERVICE_UNAVAILABLE, True) for text in TROUBLES),
    ],
)
def test_a_refused_login_is_understood(text: str, category: Category, retryable: bool) -> None:
    code = re.match(r"\[(?!ALERT)([A-Z-]+)\]", text)
    error = LoginRefused(text, imap_code=code[1] if code else None)
    found = TRIAGE.assess(describe(error), pipeline="mail", step="connecting")
    assert (found.category, found.retryable) == (category, retryable), found.rule
