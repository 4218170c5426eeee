"""Access tokens by refresh token (RFC 6749, section 6), kept until shortly before they expire."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from daemon.clock import Clock
from daemon.pipelines.mail.account import MailAccount, OAuth
from daemon.pipelines.mail.errors import SettingMistaken, TokenRefused
from daemon.pipelines.mail.watchdog import Watchdog

EARLY = 60.0
"""Seconds before its end from which on a token is not used any more."""
LIFETIME = 300.0
"""Seconds that a token is taken to live when the endpoint does not say."""
LONGEST_ANSWER = 64 * 1024
_UNPACKED = {"Accept-Encoding": "identity"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class _Token(msgspec.Struct, frozen=True):
    value: str
    end: float
    """On the monotonic clock."""


class _Answer(msgspec.Struct):
    """What is used of an answer."""

    access_token: str
    expires_in: float = LIFETIME
    refresh_token: str | None = None


class _Refusal(msgspec.Struct):
    error: str = ""
    error_description: str = ""


class AccessTokens:
    """The access tokens of all accounts. Threads may share it."""

    def __init__(self) -> None:
        self._tokens: dict[OAuth, _Token] = {}
        self._renewed: dict[OAuth, str] = {}
        self._lock = threading.Lock()
        self._asking: dict[OAuth, threading.Lock] = {}
        """Accounts that share a refresh token must not use it at the same time: many are good for once."""

    def token(self, account: MailAccount, oauth: OAuth, clock: Clock, watchdog: Watchdog) -> str:
        """An access token that is good for a while yet.

        Raises `TokenRefused`, `SettingMistaken`, or an error of httpx.
        """
        with self._lock:
            asking = self._asking.setdefault(oauth, threading.Lock())
        with asking:
            with self._lock:
                kept = self._tokens.get(oauth)
            if kept is not None and kept.end - EARLY > clock.monotonic():
                return kept.value
            asked_at = clock.monotonic()
            answer = self._answer(account, oauth, watchdog)
            with self._lock:
                self._tokens[oauth] = _Token(answer.access_token, asked_at + answer.expires_in)
            return answer.access_token

    def _answer(self, account: MailAccount, oauth: OAuth, watchdog: Watchdog) -> _Answer:
        """By the newest refresh token, else by the one that was given: a store from a backup has an old one."""
        timeout, renewals = account.source.timeout, account.renewals
        given = oauth.refresh_token
        latest = self._renewed.get(oauth) or (renewals and renewals.latest(oauth)) or given
        try:
            answer = _ask(oauth, latest, watchdog, timeout)
        except TokenRefused as refused:
            if latest == given or refused.error_code != "invalid_grant":
                raise
            answer = _ask(oauth, given, watchdog, timeout)
        if answer.refresh_token and answer.refresh_token != latest:
            # Endpoints that hand out a new one may take the old one no longer.
            self._renewed[oauth] = answer.refresh_token
            if renewals is not None:
                renewals.keep(account.name, oauth, answer.refresh_token)
        return answer

    def forget(self, oauth: OAuth) -> None:
        """The account's access token was refused: the next one is fetched anew."""
        with self._lock:
            self._tokens.pop(oauth, None)


def _ask(oauth: OAuth, refresh_token: str, watchdog: Watchdog, timeout: float) -> _Answer:
    """One request to the token endpoint, over a connection that the watchdog may end."""
    url = httpx.URL(oauth.token_url)
    if url.scheme != "https" and url.host not in _LOOPBACK:
        raise SettingMistaken("token_url has to begin with https://: it is sent a secret")
    watchdog.check()
    limit = min(timeout, watchdog.remaining) or timeout
    try:
        with (
            httpx.Client(timeout=limit, trust_env=False, headers=_UNPACKED) as client,
            client.stream(
                "POST",
                url,
                data=_form(oauth, refresh_token),
                extensions={"trace": _guarding(watchdog)},
            ) as response,
        ):
            content = _content(response)
    except httpx.TransportError as error:
        watchdog.check(error)
        raise
    if not response.is_success:
        raise _refused(response, content)
    try:
        return msgspec.json.decode(content, type=_Answer, strict=False)
    except msgspec.DecodeError:
        raise _refused(response, content, "the answer holds no access token") from None


def _content(response: httpx.Response) -> bytes:
    """The answer as it comes over the line, so that nothing small can become large."""
    content = b""
    for part in response.iter_raw():
        content += part
        if len(content) > LONGEST_ANSWER:
            raise _refused(response, b"", "the answer is too long")
    return content


def _form(oauth: OAuth, refresh_token: str) -> dict[str, str]:
    form = {
        "grant_type": "refresh_token",
        "client_id": oauth.client_id,
        "client_secret": oauth.client_secret,
        "refresh_token": refresh_token,
        "scope": oauth.scope,
    }
    return {name: value for name, value in form.items() if value is not None}


def _guarding(watchdog: Watchdog) -> Callable[[str, dict[str, Any]], None]:
    """Hands the connection to the watchdog as soon as it stands."""

    def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            watchdog.guard(info["return_value"].get_extra_info("socket"))

    return trace


def _refused(response: httpx.Response, content: bytes, why: str = "") -> TokenRefused:
    try:
        said = msgspec.json.decode(content, type=_Refusal)
    except msgspec.DecodeError:
        said = _Refusal()
    parts = [said.error, said.error_description, why]
    words = ": ".join(part for part in parts if part)[:500] or response.reason_phrase
    return TokenRefused(
        f"The token endpoint gives no access token (HTTP {response.status_code}): {words}",
        status_code=response.status_code,
        error_code=said.error or None,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() and len(value) < 10 else None


TOKENS = AccessTokens()
"""Those of this process: a token outlives the run that fetched it."""
