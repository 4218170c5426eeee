"""Errors without the secrets of their account: a server may repeat them in words that no mask knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from daemon.pipelines.mail.account import Credentials, Password
from daemon.triage.masking.masker import MASK

SHORTEST_HIDDEN = 4
"""Shorter texts are in too many words to be looked for."""


@contextmanager
def concealed(credentials: Credentials) -> Iterator[None]:
    """Whatever is raised inside tells nothing of the credentials."""
    try:
        yield
    except Exception as raised:
        error: BaseException | None = raised
        while error is not None:
            error.args = tuple(_without(argument, credentials) for argument in error.args)
            error = error.__cause__ or error.__context__
        raise


def _without(argument: object, credentials: Credentials) -> object:
    if not isinstance(argument, str):
        return argument
    for secret in _secrets_of(credentials):
        argument = argument.replace(secret, MASK)
    return argument


def _secrets_of(credentials: Credentials) -> list[str]:
    """The longest first: one may be part of another."""
    if isinstance(credentials, Password):
        found: tuple[str | None, ...] = (credentials.value,)
    else:
        found = (credentials.refresh_token, credentials.client_secret)
    secrets = (secret for secret in found if secret and len(secret) >= SHORTEST_HIDDEN)
    return sorted(secrets, key=len, reverse=True)
